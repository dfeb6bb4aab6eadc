// Package ipvs_test runs the built daemon where IPVS is: on this kernel, or in
// User Mode Linux. Real tables, real connections through NAT, DR and TUN.
package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/uml"
)

func TestMain(m *testing.M) { uml.Main(m, lab.Build) }

const (
	web   = lab.VIP + ":80"
	lines = lab.VIP + ":7"
	rs1   = "192.168.0.11:80"
	rs2   = "192.168.0.12:80"

	web6  = "[" + lab.VIP6 + "]:80"
	rs1v6 = "[2001:db8:b::11]:80"
	rs2v6 = "[2001:db8:b::12]:80"
)

// check is a quick HTTP check.
const check = "[service.check]\ntype = \"http\"\ninterval = \"500ms\"\ntimeout = \"400ms\"\nrise = 1\nfall = 2\n"

// service writes a virtual service with the servers, and further lines of the
// service or its check.
func service(name, address, options string, servers ...string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "[[service]]\nname = %q\naddress = %q\nscheduler = \"rr\"\n%s\n", name, address, options)
	for _, server := range servers {
		fmt.Fprintf(&out, "[[service.server]]\naddress = %q\n", server)
	}
	return out.String()
}

// start runs holdfast on all directors of the pair with further tables: first
// lvs1, which becomes MASTER, then the others, which stay BACKUP.
func start(t *testing.T, p *lab.Pair, more string) []*lab.Daemon {
	t.Helper()
	return startWith(t, p, func(i int) string { return config(i, more) })
}

// startBoth is start with virtual routers of both address families.
func startBoth(t *testing.T, p *lab.Pair, more string) []*lab.Daemon {
	t.Helper()
	return startWith(t, p, func(i int) string {
		return lab.Director{Priority: 200 - 50*i, Interval: 200 * time.Millisecond, IPv6: true, More: more}.TOML()
	})
}

func startWith(t *testing.T, p *lab.Pair, config func(i int) string) []*lab.Daemon {
	t.Helper()
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(config(i)))
		state := "BACKUP"
		if i == 0 {
			state = "MASTER"
		}
		daemons[i].AwaitState(t, state)
	}
	return daemons
}

// config leaves time between adverts: the guest has one slow processor.
func config(i int, more string) string {
	return lab.Director{Priority: 200 - 50*i, Interval: 200 * time.Millisecond, More: more}.TOML()
}

// awaitTable waits until the host's IPVS table has all these lines, and not
// any of those that begin with "!". Lines are compared as ipvsadm -Sn writes
// them, as parts.
func awaitTable(t *testing.T, h *lab.Host, parts ...string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, fmt.Sprintf("table of %s: %q", h.Name, parts), func() (string, bool) {
		table := h.Run("ipvsadm", "-Sn")
		ok := true
		for _, part := range parts {
			if absent, found := strings.CutPrefix(part, "!"); found {
				ok = ok && !strings.Contains(table, absent)
			} else {
				ok = ok && strings.Contains(table, part)
			}
		}
		return table, ok
	})
}
