package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/conf"
)

// Whatever needs the configuration says all that is wrong with it.
func TestInvalidConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "invalid.toml")
	if err := os.WriteFile(path, []byte("[[vrrp]]\nname = \"outside\"\nvrid = 300\ncolour = \"red\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "config show", "run"} {
		for _, file := range []string{"invalid.toml", "missing.toml"} {
			_, err := conf.Load(filepath.Join(dir, file))
			if err == nil {
				t.Fatalf("%s is valid", file)
			}
			want := strings.ReplaceAll(err.Error(), dir, "DIR") + "\n"
			code, stdout, stderr := call(t, dir, command+" -c @"+file)
			if code != exitFault || stdout != "" || stderr != want {
				t.Errorf("%s of %s: %d %q\n%swant\n%s", command, file, code, stdout, stderr, want)
			}
		}
	}
	const usual = "/run/holdfast/control.sock"
	// The daemon is still found where the file says, as far as that can be read.
	for name, c := range map[string]struct{ content, want string }{
		"mistake":       {"[director]\nruntime_dir = \"/run/hf\"\n[[vrrp]]\nvrid = 300\n", "/run/hf/control.sock"},
		"nothing":       {"[[vrrp]]\nvrid = 300\n", usual},
		"wrong itself":  {"[director]\nruntime_dir = \"hf\"\n", usual},
		"of wrong type": {"[director]\nruntime_dir = 3\n", usual},
		"no table":      {"director = 3\n", usual},
		"no TOML":       {"[director\nruntime_dir = \"/run/hf\"\n", usual},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := (&flags{config: file}).socketPath(); got != c.want {
			t.Errorf("%s: socket %s, want %s", name, got, c.want)
		}
	}
}

func TestConfigReferenceIsTheReference(t *testing.T) {
	code, stdout, stderr := call(t, t.TempDir(), "config reference")
	if code != exitWell || stdout != conf.Reference || stderr != "" {
		t.Errorf("exit code %d, %d bytes, %q", code, len(stdout), stderr)
	}
}

func TestConfigShowIsAConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.toml", fmt.Appendf(nil, validConfig, "/run/a"), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := conf.Load(dir + "/a.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, full, _ := call(t, dir, "config show -c @a.toml")
	for _, options := range []string{"", " --no-defaults"} {
		code, stdout, _ := call(t, dir, "config show -c @a.toml"+options)
		if code != exitWell {
			t.Fatalf("exit code %d", code)
		}
		got, err := conf.Parse("show", []byte(stdout))
		if err != nil {
			t.Fatalf("%v\n%s", err, stdout)
		}
		if string(conf.Show(got)) != string(conf.Show(want)) {
			t.Errorf("show%s prints another configuration:\n%s", options, stdout)
		}
		if short := len(stdout) < len(full)/2; short != (options != "") {
			t.Errorf("show%s prints %d bytes, and without options %d", options, len(stdout), len(full))
		}
	}
}
