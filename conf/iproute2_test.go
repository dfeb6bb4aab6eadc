package conf

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Names of routing tables come from all files that iproute2 reads.
func TestTableNames(t *testing.T) {
	files := map[string]string{
		"/usr/share/iproute2/rt_tables":       "255\tlocal\n254 main\n9 red # and not\n12 blue\n",
		"/etc/iproute2/rt_tables":             "# 5 five\n0x10 red\nnone green\n7\n0 unspec\n",
		"/etc/iproute2/rt_tables.d/more.conf": "300 far\n",
		"fuzz.toml": `
[[vrrp]]
name = "a"
interface = "eth0"
vrid = 1
addresses = ["10.0.0.100/24"]
[[vrrp.route]]
to = "10.0.0.0/24"
table = "red"
[[vrrp.rule]]
from = "all"
table = "far"
[[track]]
name = "gw"
type = "route"
route = "0.0.0.0/0"
table = "blue"
`,
	}
	env := nowhere("")
	env.readFile = func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	env.glob = func(pattern string) (found []string, _ error) {
		dir, suffix, _ := strings.Cut(pattern, "*")
		for path := range files {
			if strings.HasPrefix(path, dir) && strings.HasSuffix(path, suffix) {
				found = append(found, path)
			}
		}
		return found, nil
	}
	want := map[string]uint32{"local": 255, "main": 254, "default": 253, "red": 16, "blue": 12, "far": 300}
	if diff := cmp.Diff(want, env.readTableNames().number); diff != "" {
		t.Error(diff)
	}
	c, _, err := load("fuzz.toml", env)
	if err != nil {
		t.Fatal(err)
	}
	got := []uint32{c.VRRP[0].Routes[0].Table, c.VRRP[0].Rules[0].Table, c.Tracks[0].Table}
	if diff := cmp.Diff([]uint32{16, 300, 12}, got); diff != "" {
		t.Error(diff)
	}
}
