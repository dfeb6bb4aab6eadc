package policy

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// A Shadow is somebody else's rule that the kernel asks before one of ours, and
// that decides about all packets of ours.
type Shadow struct {
	Device string // that wants our rule
	Text   string // "rule 100 from 10.0.0.0/8 table 9 is asked before rule 1000 from ..."
}

// protocolKernel marks the kernel's own rules (include/uapi/linux/rtnetlink.h
// RTPROT_KERNEL).
const protocolKernel = 2

// Shadows returns the rules that shadow those of devices that are Held.
func (t *Set) Shadows(devices []*Device) ([]Shadow, error) {
	var all []Shadow
	var errs []error
	seen := map[bool][]seenRule{}
	for _, d := range devices {
		for i := range d.Rules {
			ours := d.Rules[i].normal()
			if d.Want != Held {
				continue
			}
			if _, known := seen[ours.IPv6]; !known {
				rules, err := seeRules(t.conn, ours.IPv6)
				errs = append(errs, err)
				seen[ours.IPv6] = rules
			}
			for _, other := range seen[ours.IPv6] {
				if other.protocol == Protocol || other.protocol == protocolKernel || !other.rule.covers(&ours) {
					continue
				}
				decides, err := other.rule.decides()
				errs = append(errs, err)
				if decides {
					all = append(all, Shadow{d.Name, fmt.Sprintf("%v is asked before %v and decides about its packets", other.rule, ours)})
				}
			}
		}
	}
	return all, errors.Join(errs...)
}

// covers reports whether r is asked before ours and fits every packet that ours
// fits.
func (r *Rule) covers(ours *Rule) bool {
	within := func(p, q netip.Prefix) bool {
		return p.Bits() <= 0 || q.IsValid() && p.Bits() <= q.Bits() && p.Contains(q.Addr())
	}
	same := func(given, equal bool) bool { return !given || equal }
	return r.Priority < ours.Priority && !r.Not && !ours.Not && within(r.From, ours.From) && within(r.To, ours.To) &&
		same(r.Interface != "", r.Interface == ours.Interface) &&
		same(r.Output != "", r.Output == ours.Output) &&
		same(r.Mark|r.MarkMask != 0, r.Mark == ours.Mark && r.MarkMask == ours.MarkMask) &&
		same(r.TOS != 0, r.TOS == ours.TOS) &&
		same(r.UIDs.Given, r.UIDs == ours.UIDs) &&
		same(r.Protocol != 0, r.Protocol == ours.Protocol) &&
		same(r.SourcePorts.Given, r.SourcePorts == ours.SourcePorts) &&
		same(r.DestinationPorts.Given, r.DestinationPorts == ours.DestinationPorts) &&
		same(r.TunnelID != 0, r.TunnelID == ours.TunnelID) &&
		(r.Action != RuleActions[0] || r.Table != ours.Table)
}

// decides reports whether no packet that r fits reaches a later rule: r drops them,
// or its table has a default route.
func (r *Rule) decides() (bool, error) {
	switch r.Action {
	case "blackhole", "unreachable", "prohibit":
		return true, nil
	case RuleActions[0]:
	default:
		return false, nil
	}
	if r.L3MDev || r.SuppressLength != 0 || r.SuppressGroup != 0 {
		return false, nil
	}
	found := false
	err := eachSeen(r.IPv6, routeFilter{table: r.Table}, func(route seenRoute) bool {
		found = route.key.to.Bits() == 0 && route.kind != unix.RTN_THROW
		return !found
	})
	return found, err
}
