package checker

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/checker/probe"
)

func valid(s probe.Settings) Config {
	c := Default(s)
	c.ID = "web/rs1"
	c.Address = netip.MustParseAddrPort("192.0.2.11:80")
	return c
}

func TestDefaultsAreValid(t *testing.T) {
	for _, kind := range probe.Kinds() {
		if kind == "external" || kind == "file" || kind == "bfd" { // they need to be told what
			continue
		}
		c := valid(probe.Default(kind))
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*Config)
		want  string
	}{
		{"no id", func(c *Config) { c.ID = "" }, `id: must not be empty`},
		{"no kind", func(c *Config) { c.Probe = nil }, `type: is missing`},
		{"settings", func(c *Config) { d := probe.Default("dns").(probe.DNS); d.Name = "a..b"; c.Probe = d }, `name: "a..b" is not a domain name`},
		{"target", func(c *Config) { c.Address = netip.AddrPort{} }, `address: must be an address and a port, not invalid AddrPort`},
		{"interval", func(c *Config) { c.Interval = 9 * time.Millisecond }, `interval: must be at least 10ms, not 9ms`},
		{"timeout", func(c *Config) { c.Timeout = 0 }, `timeout: must be at least 1ms, not 0s`},
		{"short retry", func(c *Config) { c.RetryInterval = time.Millisecond }, `retry_interval: must be at least 10ms, or 0 for the interval, not 1ms`},
		{"short pause of one that is down", func(c *Config) { c.DownInterval = time.Millisecond }, `down_interval: must be at least 10ms, or 0 for the interval, not 1ms`},
		{"long retry", func(c *Config) { c.RetryInterval = 3 * time.Second }, `retry_interval: must not be longer than the interval 2s, not 3s`},
		{"rise", func(c *Config) { c.Rise = 0 }, `rise: must be at least 1, not 0`},
		{"fall", func(c *Config) { c.Fall = -1 }, `fall: must be at least 1, not -1`},
		{"two faults", func(c *Config) { c.Rise, c.Fall = 0, 0 }, "rise: must be at least 1, not 0\nfall: must be at least 1, not 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := valid(probe.TCP{})
			tt.spoil(&c)
			err := c.Validate()
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if _, ok := errors.AsType[*probe.FieldError](err); !ok {
				t.Errorf("%T holds no *probe.FieldError", err)
			}
		})
	}
	t.Run("a check that asks nobody needs nothing but an ID", func(t *testing.T) {
		c := Config{ID: "a", Probe: probe.None{}}
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	})
}

// TestAsksSame changes each field of a Config in turn, so that no later field
// can be forgotten: one attempt would then answer two different questions.
func TestAsksSame(t *testing.T) {
	aside := map[string]bool{"ID": true, "Rise": true, "Fall": true, "InitiallyUp": true,
		"Server": true, "Depends": true, "Weight": true, "WeightMin": true, "WeightMax": true}
	a, b := valid(probe.Default("https")), valid(probe.Default("https"))
	if !a.asksSame(&b) {
		t.Fatal("two Configs of equal content are not the same")
	}
	v := reflect.ValueOf(&b).Elem()
	for i := range v.NumField() {
		name, f := v.Type().Field(i).Name, v.Field(i)
		old := reflect.ValueOf(f.Interface())
		f.Set(other(t, name, f))
		if got := a.asksSame(&b); got != aside[name] {
			t.Errorf("differing in %s: asksSame = %v", name, got)
		}
		f.Set(old)
	}
}

// other returns a value of v's type that differs from v.
func other(t *testing.T, name string, v reflect.Value) reflect.Value {
	t.Helper()
	switch x := v.Interface().(type) {
	case []string:
		return reflect.ValueOf([]string{"x"})
	case [][]string:
		return reflect.ValueOf([][]string{{"x"}})
	case string:
		return reflect.ValueOf(x + "x")
	case int:
		return reflect.ValueOf(x + 1)
	case bool:
		return reflect.ValueOf(!x)
	case time.Duration:
		return reflect.ValueOf(x + 1)
	case netip.AddrPort:
		return reflect.ValueOf(netip.MustParseAddrPort("192.0.2.99:99"))
	case probe.Dial:
		return reflect.ValueOf(probe.Dial{Mark: 1})
	case probe.HTTP:
		tls := *x.TLS
		tls.Verify = !tls.Verify
		x.TLS = &tls
		return reflect.ValueOf(x)
	}
	t.Fatalf("%s: this test cannot change a %v", name, v.Type())
	return reflect.Value{}
}
