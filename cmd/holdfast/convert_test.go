package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/conf"
)

func TestConvert(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const good = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 1\n"
	write("good", good)
	write("part", good+"-A -t www:80\n")
	write("none", "# nothing\n")
	for _, tt := range []struct {
		line           string
		code           int
		stdout, stderr string
	}{
		{"convert --from ipvsadm @good", exitWell, "address = \"10.0.0.1:80\"", "2 directives read: 4 notes, all translated\n"},
		{"convert --from ipvsadm --director lvs1 @good", exitWell, "[director]\nname = \"lvs1\"", "all translated\n"},
		{"convert --from ipvsadm @part", exitFault, "address = \"10.0.0.1:80\"", "part:3: not translated: \"www:80\" is not a numeric address"},
		{"convert --from ipvsadm @none", exitFault, "", "nothing could be converted"},
		{"convert --from ipvsadm @missing", exitUsage, "", "no such file"},
		{"convert --from ipvsadm @.", exitUsage, "", "not a regular file"},
		{"convert --from nonsense @good", exitUsage, "", "--from must be heartbeat or ipvsadm or keepalived or ldirectord or mon, not \"nonsense\""},
		{"convert --director a/b @good", exitUsage, "", "--director must not contain '/'"},
		{"convert @good", exitWell, "address = \"10.0.0.1:80\"", "all translated\n"},
		{"convert @none", exitUsage, "", "it is not clear which program the files are of: give --from "},
		{"convert --from ipvsadm", exitUsage, "", "an argument is missing"},
	} {
		code, stdout, stderr := call(t, dir, tt.line)
		if code != tt.code || !strings.Contains(stdout, tt.stdout) || (stdout == "") != (tt.stdout == "") || !strings.Contains(stderr, tt.stderr) {
			t.Errorf("%s: %d\n%s\n%s", tt.line, code, stdout, stderr)
		}
	}
	// What is written to a file is valid, and no file is overwritten.
	if code, stdout, stderr := call(t, dir, "convert --from ipvsadm -o @out.toml @good"); code != exitWell || stdout != "" {
		t.Errorf("-o: %d %s%s", code, stdout, stderr)
	}
	if c, err := conf.Load(dir + "/out.toml"); err != nil || len(c.Services) != 1 {
		t.Errorf("-o: %v", err)
	}
	if code, _, stderr := call(t, dir, "convert --from ipvsadm -o @out.toml @good"); code != exitFault || !strings.Contains(stderr, "exists already") {
		t.Errorf("-o of a file that exists: %d %s", code, stderr)
	}
}

// The name of the director in mails is that of --director.
func TestConvertMailForDirector(t *testing.T) {
	dir := t.TempDir()
	const text = "global_defs {\n notification_email {\n a@example.org\n }\n notification_email_from b@example.org\n smtp_server 192.0.2.1\n smtp_alert\n}\n" +
		"vrrp_instance a {\n interface eth0\n virtual_router_id 1\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n"
	if err := os.WriteFile(dir+"/keepalived.conf", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := call(t, dir, "convert --director lvs1 -o @new.toml @keepalived.conf"); code != exitWell {
		t.Errorf("%d: %s", code, stderr)
	}
	if c, err := conf.Load(dir + "/new.toml"); err != nil || c.Notify.Mail.Helo != "lvs1" || c.Notify.Mail.Server == "" {
		t.Errorf("%v", err)
	}
}

// Secrets go to files beside the new one, and never to the terminal.
func TestConvertSecrets(t *testing.T) {
	dir := t.TempDir()
	const text = "vrrp_instance a {\n interface eth0\n virtual_router_id 1\n authentication {\n auth_type PASS\n auth_pass hunter22\n }\n virtual_ipaddress {\n 10.0.0.1\n }\n}\n"
	if err := os.WriteFile(dir+"/keepalived.conf", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := call(t, dir, "convert @keepalived.conf")
	if code != exitFault || !strings.Contains(stderr, "not translated: the secret for /etc/holdfast/vrrp.secret is not printed: use -o FILE") || strings.Contains(stdout+stderr, "hunter22") {
		t.Errorf("without -o: %d\n%s\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = call(t, dir, "convert -o @new.toml @keepalived.conf")
	if code != exitWell || strings.Contains(stdout+stderr, "hunter22") {
		t.Errorf("-o: %d\n%s\n%s", code, stdout, stderr)
	}
	secret, err := os.ReadFile(dir + "/vrrp.secret")
	if info, statErr := os.Stat(dir + "/vrrp.secret"); err != nil || statErr != nil || info.Mode() != 0o600 || string(secret) != "hunter22\n" {
		t.Errorf("the secret: %q %v %v", secret, err, statErr)
	}
	if c, err := conf.Load(dir + "/new.toml"); err != nil || c.VRRP[0].Auth.Secret != "hunter22" {
		t.Errorf("the result: %v", err)
	}
	// A secret that cannot be written leaves no new file.
	code, _, stderr = call(t, dir, "convert -o @other.toml @keepalived.conf")
	if _, err := os.Stat(dir + "/other.toml"); code != exitFault || err == nil || !strings.Contains(stderr, "vrrp.secret exists already") {
		t.Errorf("a secret file that exists: %d %v %s", code, err, stderr)
	}
}

// The result is valid whatever the files are called, and with line ends and marks of
// other systems. "-o -" is standard output.
func TestConvertOddFiles(t *testing.T) {
	const rules = "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m\n"
	for name, text := range map[string]string{
		"line\nname = 1":   rules,
		"latin1 \xe9":      rules,
		"lines of Windows": strings.ReplaceAll(rules, "\n", "\r\n"),
		"mark":             "\ufeff" + rules,
		"latin1 inside":    "# caf\xe9\n" + rules,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr strings.Builder
		if code := run(t.Context(), []string{"convert", "-o", "-", path}, nil, &stdout, &stderr); code != exitWell {
			t.Errorf("%q: %d\n%s", name, code, stderr.String())
			continue
		}
		result := filepath.Join(dir, "result.toml")
		if err := os.WriteFile(result, []byte(stdout.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := conf.Load(result); err != nil || len(c.Services) != 1 {
			t.Errorf("%q: %v", name, err)
		}
	}
}
