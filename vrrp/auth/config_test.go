package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestSecretsShowNothing(t *testing.T) {
	c := Config{Kind: HMAC, Secret: "swordfish", Keys: []Key{{1, "swordfish-swordfish"}}}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", c.Secret, "config", c)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := log.String() + string(text)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		all += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, c.Secret) + fmt.Sprintf(verb, &c)
	}
	if err := c.Validate(2); err != nil {
		all += err.Error()
	}
	for _, leak := range []string{"swordfish", hex.EncodeToString([]byte("swordfish"))} {
		if strings.Contains(all, leak) {
			t.Errorf("%s in\n%s", leak, all)
		}
	}
}

func TestValidate(t *testing.T) {
	good := Config{Kind: HMAC, Keys: []Key{{1, counting(32)}}, Active: 1, Window: 5 * time.Second}
	for _, c := range []struct {
		name    string
		version uint8
		change  func(*Config)
		want    string
	}{
		{"good", 3, func(*Config) {}, ""},
		{"none", 3, func(c *Config) { *c = Config{} }, ""},
		{"password", 2, func(c *Config) { *c = Config{Kind: Password, Secret: "12345678"} }, ""},
		{"password of version 3", 3, func(c *Config) { *c = Config{Kind: Password, Secret: "12345678"} }, "type"},
		{"header of version 3", 3, func(c *Config) { *c = Config{Kind: Header, Secret: "12345678"} }, "type"},
		{"long password", 2, func(c *Config) { *c = Config{Kind: Password, Secret: "123456789"} }, "secret"},
		{"no password", 2, func(c *Config) { *c = Config{Kind: Header} }, "secret"},
		{"no keys", 2, func(c *Config) { c.Keys = nil }, "keys"},
		{"short key", 2, func(c *Config) { c.Keys[0].Secret = counting(31) }, "keys"},
		{"long key", 2, func(c *Config) { c.Keys[0].Secret = counting(65) }, "keys"},
		{"key 0", 2, func(c *Config) { c.Keys, c.Active = append(c.Keys, Key{0, counting(32)}), 1 }, "keys"},
		{"a key twice", 2, func(c *Config) { c.Keys = append(c.Keys, c.Keys[0]) }, "keys"},
		{"no such key", 2, func(c *Config) { c.Active = 2 }, "active_key"},
		{"long window", 2, func(c *Config) { c.Window = 301 * time.Second }, "time_window"},
	} {
		cfg := good
		cfg.Keys = append([]Key(nil), good.Keys...)
		c.change(&cfg)
		err := cfg.Validate(c.version)
		got := ""
		if err != nil {
			got, _, _ = strings.Cut(err.Error(), ":")
		}
		if got != c.want {
			t.Errorf("%s: %v, want an error of %q", c.name, err, c.want)
		}
	}
}
