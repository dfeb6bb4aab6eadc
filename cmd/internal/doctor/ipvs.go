package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"holdfast/netdev/sysctl"
)

// ipvsFacts are the sysctls net.ipv4.vs.NAME by NAME that exist.
type ipvsFacts map[string]string

func lookAtIPVS(_ context.Context, p *Patient) (ipvsFacts, error) {
	f := ipvsFacts{}
	if !needsIPVS(p.Config) {
		return f, nil
	}
	names := append(slices.Collect(maps.Keys(p.Config.LVS.Sysctls)), slices.Collect(maps.Keys(harmful))...)
	for _, name := range names {
		value, err := sysctl.Read("ipv4/vs/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		if err == nil {
			f[name] = strings.Join(strings.Fields(value), " ")
		}
	}
	return f, nil
}

// harmful are values that let failovers or clients lose connections
// (Documentation/networking/ipvs-sysctl.rst).
var harmful = map[string]struct{ bad, good, why string }{
	"drop_entry":     {"3", "0", "IPVS drops connections at random, as its defence against floods does."},
	"drop_packet":    {"3", "0", "IPVS drops packets at a fixed rate, as its defence against floods does."},
	"secure_tcp":     {"3", "0", "IPVS ends idle TCP connections early, as its defence against floods does."},
	"sync_version":   {"0", "1", "The sync daemon uses the format of Linux before 2.6.39, without IPv6 and persistence."},
	"run_estimation": {"0", "1", "The rates of all services and servers stand still."},
}

func judgeIPVS(p *Patient, f ipvsFacts) (found []Finding) {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		one := Finding{Severity: Warning}
		key := "ipv4/vs/" + name
		if want, configured := p.Config.LVS.Sysctls[name]; configured {
			if p.Status == nil || f[name] == want {
				continue // the daemon sets it when it starts
			}
			one.What = fmt.Sprintf("%s is %q, and the configuration says %q", sysctl.Name(key), f[name], want)
			one.Why = "Another program has changed it. What survives a failover depends on it."
			one.Cure, one.fix = setting(key, want)
		} else {
			bad := harmful[name]
			if f[name] != bad.bad {
				continue
			}
			one.What, one.Why = fmt.Sprintf("%s is %s", sysctl.Name(key), f[name]), bad.why
			one.Cure, one.fix = setting(key, bad.good)
		}
		found = append(found, one)
	}
	return found
}
