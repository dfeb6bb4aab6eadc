package conf

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/vrrp/auth"
)

const swordfish = "swordfish-swordfish-swordfish-swordfish"

func TestAuth(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key1, key2 := file("1.key", swordfish+"\n"), file("2.key", "hex:"+strings.Repeat("00ff", 16)+"\n")
	short := file("secret", "tuna\n")
	tests := []struct {
		name, options string
		want          auth.Config
		authType      uint8
	}{
		{"none", "", auth.Config{}, 0},
		{"password", "version = 2\nauth = { type = \"password\", secret = \"tuna\" }",
			auth.Config{Kind: auth.Password, Secret: "tuna"}, 1},
		{"ah from a file", "version = 2\nauth = { type = \"ah\", secret_file = \"" + short + "\" }",
			auth.Config{Kind: auth.Header, Secret: "tuna"}, 2},
		{"hmac", "interval = \"3s\"\nauth = { type = \"hmac\", keys = [{ id = 7, secret_file = \"" + key1 + "\" }, { id = 8, secret_file = \"" + key2 + "\" }] }",
			auth.Config{Kind: auth.HMAC, Active: 7, Window: 9 * time.Second, Keys: []auth.Key{
				{ID: 7, Secret: swordfish}, {ID: 8, Secret: auth.Secret(strings.Repeat("\x00\xff", 16))}}}, 0},
		{"hmac inline", "auth = { type = \"hmac\", active_key = 8, mode = \"receive-only\", time_window = \"0s\", keys = [{ id = 8, secret = \"" + swordfish + "\" }] }",
			auth.Config{Kind: auth.HMAC, Active: 8, Mode: auth.ReceiveOnly, Keys: []auth.Key{{ID: 8, Secret: swordfish}}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := Parse("a.toml", []byte(instance("a", "1")+tt.options))
			if err != nil {
				t.Fatal(err)
			}
			in := c.VRRP[0]
			if !in.Auth.Config.Equal(&tt.want) || in.AuthType != tt.authType {
				t.Errorf("got kind %d, active %d, window %v, %d keys, type %d", in.Auth.Kind, in.Auth.Active, in.Auth.Window, len(in.Auth.Keys), in.AuthType)
			}
			shown := string(Show(c))
			for _, s := range []string{"tuna", "swordfish", "00ff"} {
				if strings.Contains(shown, s) {
					t.Errorf("a secret is shown:\n%s", shown)
				}
			}
			again, err := Parse("shown.toml", []byte(shown))
			switch inline := strings.Contains(tt.options, "secret = "); {
			case inline && (err == nil || !strings.Contains(err.Error(), "placeholder")):
				t.Errorf("what Show wrote without the secret: %v", err)
			case !inline && err != nil:
				t.Errorf("load what Show wrote: %v\n%s", err, shown)
			case !inline && !again.VRRP[0].Auth.Equal(&in.Auth.Config):
				t.Errorf("what Show wrote means something else:\n%s", shown)
			}
		})
	}
}

// A daemon that is not root reads a file of root as a member of its group. A file of its
// own is for nobody else.
func TestTooOpen(t *testing.T) {
	const other = 1000
	for _, tt := range []struct {
		mode os.FileMode
		uid  int
		open bool
	}{
		{0o600, 0, false}, {0o400, 0, false}, {0o640, 0, false}, {0o440, 0, false},
		{0o660, 0, true}, {0o620, 0, true}, {0o650, 0, true}, {0o604, 0, true}, {0o602, 0, true}, {0o601, 0, true},
		{0o600, other, false}, {0o400, other, false},
		{0o640, other, true}, {0o620, other, true}, {0o610, other, true}, {0o604, other, true},
	} {
		most, open := tooOpen(tt.mode, tt.uid)
		if open != tt.open {
			t.Errorf("mode %04o of user %d: too open %v, want %v", tt.mode, tt.uid, open, tt.open)
		}
		if _, still := tooOpen(most, tt.uid); still {
			t.Errorf("mode %04o of user %d: the advice %04o is too open", tt.mode, tt.uid, most)
		}
	}
}

func TestSecretFilePermissions(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	source := []byte(instance("a", "1") + "version = 2\nauth = { type = \"ah\", secret_file = \"" + path + "\" }")
	check := func(what, want string) {
		t.Helper()
		_, err := Parse("a.toml", source)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", what, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "vrrp.a.auth.secret_file: ") || !strings.HasSuffix(err.Error(), want)):
			t.Errorf("%s: got %v, want an error that ends in %q", what, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "tuna") {
			t.Errorf("%s: the error tells the secret: %v", what, err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.WriteFile(path, []byte("tuna"), 0o600))
	check("mode 600", "")
	for _, mode := range []os.FileMode{0o400, 0o640, 0o660, 0o604, 0o620} {
		must(os.Chmod(path, mode))
		want := ""
		if most, open := tooOpen(mode, os.Geteuid()); open {
			want = fmt.Sprintf("can be read or changed by others (mode %04o): chmod %o %s", mode, most, path)
		}
		check(mode.String(), want)
	}
	must(os.Chmod(path, 0o600))
	if os.Geteuid() == 0 {
		must(os.Chown(path, 1, 1))
		check("owner 1", "belongs to user 1: it must belong to root")
		must(os.Chown(path, 0, 0))
	}
	must(os.WriteFile(path, nil, 0o600))
	check("empty", "is empty")
	must(os.WriteFile(path, make([]byte, 70_000), 0o600))
	check("long", "is larger than 65536 bytes")
	must(os.Remove(path))
	must(os.Mkdir(path, 0o700))
	check("directory", "is a directory, not a regular file")
	must(os.Remove(path))
	must(syscall.Mkfifo(path, 0o600))
	check("pipe", "is a pipe, not a regular file")
}
