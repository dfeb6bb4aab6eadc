package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/conf"
)

// A bridgeFacts describes a bridge that is the interface of a virtual router, or that one
// is a port of.
type bridgeFacts struct {
	Interface, Bridge string
	Snooping          bool
	OwnQuerier        bool // the bridge asks by itself
}

func lookAtBridges(_ context.Context, p *Patient) (all []bridgeFacts, err error) {
	seen := map[string]bool{}
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		if in.Unicast || seen[in.Interface] {
			continue
		}
		seen[in.Interface] = true
		bridge := bridgeOf(in.Interface)
		if bridge == "" {
			continue
		}
		f := bridgeFacts{Interface: in.Interface, Bridge: bridge}
		snooping, e1 := bridgeSetting(bridge, "multicast_snooping")
		querier, e2 := bridgeSetting(bridge, "multicast_querier")
		f.Snooping, f.OwnQuerier = snooping == "1", querier == "1"
		err = errors.Join(err, e1, e2)
		all = append(all, f)
	}
	return all, err
}

// bridgeOf returns the bridge that an interface is or is a port of; "" if it is neither.
func bridgeOf(name string) string {
	dir := "/sys/class/net/" + name
	if _, err := os.Stat(dir + "/bridge"); err == nil {
		return name
	}
	if target, err := os.Readlink(dir + "/brport/bridge"); err == nil {
		return filepath.Base(target)
	}
	return ""
}

func bridgeSetting(bridge, name string) (string, error) {
	text, err := os.ReadFile("/sys/class/net/" + bridge + "/bridge/" + name)
	if errors.Is(err, fs.ErrNotExist) {
		return "0", nil // a kernel without snooping
	}
	return strings.TrimSpace(string(text)), err
}

func judgeBridges(p *Patient, all []bridgeFacts) (found []Finding) {
	for _, f := range all {
		if !f.Snooping || f.OwnQuerier || !multicasts(p.Config, f.Interface) {
			continue
		}
		found = append(found, Finding{
			Severity: Warning,
			What:     fmt.Sprintf("the bridge %s (for %s) snoops on multicast, and does not ask for members itself", f.Bridge, f.Interface),
			Why:      "Without another querier on the wire, the bridge and the switches forget after some minutes who wants adverts: two MASTERs.",
			Cure: fmt.Sprintf("ip link set %s type bridge mcast_querier 1 (or mcast_snooping 0), and the same in the configuration of the network; or unicast = true",
				f.Bridge),
		})
	}
	return found
}

func multicasts(c *conf.Config, name string) bool {
	for i := range c.VRRP {
		if c.VRRP[i].Interface == name && !c.VRRP[i].Unicast {
			return true
		}
	}
	return false
}
