package conf

import (
	"os/exec"
	"strings"
	"testing"
)

// Imports, test code apart, reach the whole tree of what is linked in.
var forbiddenDeps = map[string]string{
	"github.com/vishvananda/netlink": "a configuration is checked on any machine, by any user: nothing here asks the kernel",
	"github.com/mdlayher/":           "sockets are netdev's",
	"holdfast/netdev":                "devices are made elsewhere",
	"holdfast/checker/probe/":        "the clients of heavy kinds of check are the daemon's",
	"holdfast/lvs/ipvs":              "the IPVS table is made elsewhere",
	"holdfast/vrrp/speaker":          "what runs is not what is configured",
	"holdfast/cmd/":                  "the daemon reads conf, not the other way round",
}

func TestDependencies(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, out)
	}
	deps := strings.Fields(string(out))
	seen := false
	for _, dep := range deps {
		seen = seen || dep == "github.com/BurntSushi/toml"
		for path, why := range forbiddenDeps {
			if strings.HasPrefix(dep, path) {
				t.Errorf("conf depends on %s: %s", dep, why)
			}
		}
	}
	if !seen {
		t.Errorf("the list does not even have the TOML library: %s", deps)
	}
}
