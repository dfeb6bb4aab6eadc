package policy

import (
	"errors"
	"fmt"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Sweep removes routes and rules with Protocol that none of devices wants: a
// crashed run left them.
func (t *Set) Sweep(devices []*Device) ([]Change, error) {
	find := &names{indexes: map[string]int{}, tables: map[string]uint32{}}
	wanted := map[any]bool{}
	for _, d := range devices {
		if d.Want != Away {
			for _, key := range d.keys(find) {
				wanted[key] = true
			}
		}
	}
	var repairs []Change
	var requests []*nl.NetlinkRequest
	remove := func(kind int, key any, body []byte, text string) {
		if !wanted[key] {
			q := nl.NewNetlinkRequest(kind, 0)
			q.AddRawData(body) // as the kernel showed it
			requests = append(requests, q)
			repairs = append(repairs, Change{Text: "remove " + text + ", which a crashed run left"})
		}
	}
	for _, v6 := range []bool{false, true} {
		rules, err := seeRules(t.conn, v6)
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
		for _, r := range rules {
			if r.protocol == Protocol && !forEgress(r.rule.Table) {
				remove(unix.RTM_DELRULE, r.rule, r.body, r.rule.String())
			}
		}
		err = eachSeen(v6, routeFilter{protocol: Protocol}, func(r seenRoute) bool {
			if !forEgress(r.key.table) {
				remove(unix.RTM_DELROUTE, r.key, r.body, fmt.Sprintf("route %v table %d", r.key.to, r.key.table))
			}
			return true
		})
		if err != nil {
			return nil, fmt.Errorf("sweep: %w", err)
		}
	}
	var errs []error
	for i, err := range t.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("%s: %w", repairs[i].Text, err))
		}
	}
	return repairs, errors.Join(errs...)
}
