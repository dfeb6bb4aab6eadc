package conf

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write makes files below a new directory, and returns it.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// instance is a valid [[vrrp]] with VRID n and an address of its own.
func instance(name, n string) string {
	return "[[vrrp]]\nname = \"" + name + "\"\ninterface = \"eth0\"\nvrid = " + n + "\naddresses = [\"10.0.0." + n + "/24\"]\n"
}

func TestInclude(t *testing.T) {
	tests := []struct {
		name  string
		files map[string]string
		want  string // names of the instances in order, or the errors
	}{
		{"patterns are sorted", map[string]string{
			"main.toml": "include = [\"conf.d/*.toml\"]\n" + instance("main", "1"),
			"conf.d/20": instance("no", "9"), "conf.d/20.toml": instance("b", "3"), "conf.d/10.toml": instance("a", "2"),
		}, "main a b"},
		{"in the order of the list", map[string]string{
			"main.toml": "include = [\"b.toml\", \"a.toml\"]\n", "a.toml": instance("a", "1"), "b.toml": instance("b", "2"),
		}, "b a"},
		{"relative to the file that includes", map[string]string{
			"main.toml": "include = [\"d/a.toml\"]\n", "d/a.toml": "include = [\"b.toml\"]\n" + instance("a", "1"), "d/b.toml": instance("b", "2"),
		}, "a b"},
		{"nothing matches", map[string]string{
			"main.toml": "include = [\"conf.d/*.toml\"]\n" + instance("main", "1"),
		}, "main"},
		{"references across files", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n[[group]]\nname = \"g\"\nmembers = [\"a\"]\n", "a.toml": instance("a", "1"),
		}, "a"},
		{"errors name their file", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n" + instance("a", "1"), "a.toml": "# 1\n" + instance("a", "1") + "x = 1\n",
		}, `a.toml:3: vrrp.a.name: "a" is already used at main.toml:3; instances and groups need different names
a.toml:5: vrrp.a.vrid: 1 is already used on eth0, at main.toml:5; use another VRID, even if the multicast group or the peers differ
a.toml:7: vrrp.a.x: unknown key`},
		{"syntax errors of all files", map[string]string{
			"main.toml": "include = [\"a.toml\", \"b.toml\"]\nvrrp = 1", "a.toml": "a = \n", "b.toml": "\nb = ?\n",
		}, `a.toml:1: expected value but found '\n' instead
b.toml:2: expected value but found '?' instead`},
		{"a table twice", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n[director]\nname = \"x\"\n", "a.toml": "\n[director]\nname = \"y\"\n",
		}, "a.toml:2: director: is already set at main.toml:2"},
		{"a list and no list", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n" + instance("a", "1"), "a.toml": "vrrp = 1\n",
		}, "a.toml:1: vrrp: is already set at main.toml:2"},
		{"a loop", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n", "a.toml": "include = [\"b.toml\"]\n", "b.toml": "# 1\ninclude = [\n\"a.toml\"]\n",
		}, "b.toml:3: include: a.toml includes itself"},
		{"a pattern that matches its own file", map[string]string{
			"main.toml": "include = [\"*.toml\"]\n", "a.toml": instance("a", "1"),
		}, "main.toml:1: include: main.toml includes itself"},
		{"a file twice", map[string]string{
			"main.toml": "include = [\n\"a.toml\",\n\"./a.t*\",\n]\n", "a.toml": instance("a", "1"),
		}, "main.toml:3: include: a.toml is already included at main.toml:2"},
		{"a file that is not there", map[string]string{
			"main.toml": "include = [\n\"a.toml\",\n]\n",
		}, "main.toml:2: include: open a.toml: no such file or directory"},
		{"includes of a file that has errors", map[string]string{
			"main.toml": "include = [\"a.toml\"]\n[[vrrp]]\nname = 1", "a.toml": "include = [1]\n",
		}, "a.toml:1: include: must be text in quotes, not the number 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := write(t, tt.files)
			c, err := Load(filepath.Join(dir, "main.toml"))
			var got string
			if err != nil {
				got = strings.ReplaceAll(err.Error(), dir+"/", "")
			} else {
				got = strings.Join(c.instanceNames(), " ")
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A symbolic link does not hide that a file includes itself.
func TestIncludeThroughLink(t *testing.T) {
	dir := write(t, map[string]string{"main.toml": "include = [\"d/main.toml\"]\n" + instance("a", "1")})
	if err := os.Symlink(".", filepath.Join(dir, "d")); err != nil {
		t.Fatal(err)
	}
	_, err := Load(filepath.Join(dir, "main.toml"))
	if err == nil || !strings.HasSuffix(err.Error(), "d/main.toml includes itself") {
		t.Errorf("got %v", err)
	}
}

func TestLoadUnreadable(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.toml")
	if err := os.WriteFile(large, make([]byte, MaxFileSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe.toml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none.toml"), "no such file or directory"},
		{"directory", dir, dir + " is a directory, not a regular file"},
		{"too large", large, large + " is larger than 4 MiB"},
		{"device", "/dev/zero", "/dev/zero is a device, not a regular file"},
		{"pipe", pipe, pipe + " is a pipe, not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.path)
			errs, ok := errors.AsType[Errors](err)
			if !ok || len(errs) != 1 || errs[0].File != tt.path || !strings.HasSuffix(errs[0].Message, tt.want) {
				t.Errorf("got %#v, want one error of %s that ends in %q", err, tt.path, tt.want)
			}
		})
	}
}

// A file may begin with a byte order mark.
func TestParseByteOrderMark(t *testing.T) {
	if _, err := Parse("a.toml", []byte("\ufeff"+instance("a", "1"))); err != nil {
		t.Error(err)
	}
	_, err := Parse("a.toml", []byte("\ufeffvrrp = [\n1,\n]\n"))
	if want := "a.toml:2: vrrp: must be a table, written as [[vrrp]], not the number 1"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The default of the name of the director is the host name.
func TestDirectorNameFromHost(t *testing.T) {
	env := nowhere(instance("a", "1"))
	c, _, err := load("fuzz.toml", env)
	if err != nil || c.Director.Name != "host" {
		t.Errorf("got %v, %v; want the name host", c, err)
	}
	env.hostname = func() (string, error) { return "", errors.New("no name") }
	_, _, err = load("fuzz.toml", env)
	if want := "fuzz.toml:1: director.name: is required, because the host name is not known: no name"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
