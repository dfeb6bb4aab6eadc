package conf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/integration/tools"
)

// credentials makes $CREDENTIALS_DIRECTORY as systemd does: read-only files of root, with
// the access list of the service's user in the place of the group. Where that list cannot
// be set, they are files of that user, without rights for the group.
func credentials(t *testing.T, files map[string]os.FileMode) {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(secretOf(name)+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() != 0 && mode == 0o440 {
			mode = 0o400
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
}

// secretOf is the content of a credential; a key of HMAC-SHA256 has 32 bytes at least.
func secretOf(name string) string { return "the secret of the credential " + name }

const credentialService = `[[service]]
name = "db"
address = "10.0.0.1:3306"
scheduler = "wlc"
forward = "nat"
  [service.check]
  type = "mysql"
  user = "monitor"
  password_file = "mysql"
  [[service.server]]
  address = "192.168.0.1:3306"
[notify.mail]
server = "mail.example.org:25"
tls = "starttls"
from = "a@example.org"
to = ["b@example.org"]
user = "u"
password_file = "mail"
[[notify.webhook]]
name = "hook"
url = "https://example.org/"
secret_file = "hook.secret"
token_file = "hook.token"
`

func credentialRouter(keys string) string {
	return instance("a", "1") + "auth = { type = \"hmac\", keys = [" + keys + "] }\n"
}

func TestCredentials(t *testing.T) {
	credentials(t, map[string]os.FileMode{"vrrp key": 0o440, "mysql": 0o400, "mail": 0o400, "hook.secret": 0o440, "hook.token": 0o600})
	c, err := Parse("a.toml", []byte(credentialRouter(`{ id = 1, secret_file = "vrrp key" }`)+credentialService))
	if err != nil {
		t.Fatal(err)
	}
	hook := &c.Notify.Webhooks[0]
	for want, got := range map[string]string{
		"vrrp key": string(c.VRRP[0].Auth.Keys[0].Secret), "mail": string(c.Notify.Mail.Password),
		"hook.secret": string(hook.Secret), "hook.token": string(hook.Token),
	} {
		if got != secretOf(want) {
			t.Errorf("the secret of %s is %q, want %q", want, got, secretOf(want))
		}
	}
	shown := string(ShowBrief(c))
	for _, name := range []string{"vrrp key", "mysql", "mail", "hook.secret", "hook.token"} {
		if !strings.Contains(shown, `_file = "`+name+`"`) {
			t.Errorf("config show does not name the credential %q:\n%s", name, shown)
		}
	}
}

// systemd gives the directory and the files to the user of the service where the file
// system has no access lists. Root reads them by hand, and no files of a third user.
func TestCredentialsOfTheServiceUser(t *testing.T) {
	tools.Root(t, "give files away")
	credentials(t, map[string]os.FileMode{"ours": 0o400, "foreign": 0o400, "open": 0o440})
	dir := os.Getenv("CREDENTIALS_DIRECTORY")
	for name, uid := range map[string]int{".": 996, "ours": 996, "foreign": 997, "open": 996} {
		if err := os.Chown(filepath.Join(dir, name), uid, -1); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"ours": "", "foreign": "belongs to user 997", "open": "can be read or changed by others (mode 0440)"} {
		_, err := Parse("a.toml", []byte(credentialRouter(`{ id = 1, secret_file = "`+name+`" }`)))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}

func TestCredentialsRefused(t *testing.T) {
	credentials(t, map[string]os.FileMode{"open": 0o444, "writable": 0o420})
	tests := []struct{ name, file, want string }{
		{"others can read it", "open", "can be read or changed by others (mode 0444)"},
		{"its group can change it", "writable", "can be read or changed by others (mode 0420)"},
		{"not given", "none", `credential "none": open `},
		{"a path", "../none", "must be an absolute path, or the name of a credential of the systemd unit, not \"../none\""},
		{"the folder above", "..", "must be an absolute path, or the name"},
		{"a colon", "a:b", "must be an absolute path, or the name"},
		{"too long", strings.Repeat("a", 256), "must be an absolute path, or the name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Parse("a.toml", []byte(credentialRouter(`{ id = 1, secret_file = "`+tt.file+`" }`)))
			if err == nil || !strings.Contains(err.Error(), "a.toml:6: vrrp.a.auth.keys: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	t.Run("no credentials at all", func(t *testing.T) {
		t.Setenv("CREDENTIALS_DIRECTORY", "")
		_, err := Parse("a.toml", []byte(credentialRouter(`{ id = 1, secret_file = "x" }`)))
		if want := `credential "x": this process has no credentials of systemd`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	})
}
