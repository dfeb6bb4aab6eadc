package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/vishvananda/netlink"

	"holdfast/conf"
)

// linkFacts say what an interface is made of.
type linkFacts struct {
	Index  int // 0: there is no such interface
	Name   string
	Parent int // of a VLAN or macvlan
	Master int // a bond or bridge of which it is a part; a VRF does not count
}

// lookAtPaths lists all interfaces if a virtual router has several paths.
func lookAtPaths(_ context.Context, p *Patient) ([]linkFacts, error) {
	if !slices.ContainsFunc(p.Config.VRRP, func(in conf.Instance) bool { return len(in.Also) > 0 }) {
		return nil, nil
	}
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	bundles := map[int]bool{}
	for _, link := range links {
		if kind := link.Type(); kind == "bond" || kind == "bridge" || kind == "team" {
			bundles[link.Attrs().Index] = true
		}
	}
	var all []linkFacts
	for _, link := range links {
		a := link.Attrs()
		f := linkFacts{Index: a.Index, Name: a.Name}
		if bundles[a.MasterIndex] {
			f.Master = a.MasterIndex
		}
		switch link.Type() {
		case "vlan", "macvlan", "ipvlan":
			f.Parent = a.ParentIndex
		}
		all = append(all, f)
	}
	return all, nil
}

func judgePaths(p *Patient, all []linkFacts) (found []Finding) {
	for i := range p.Config.VRRP {
		in := &p.Config.VRRP[i]
		wires := in.Wires()
		for j, name := range wires[1:] {
			if index(all, name) == 0 {
				found = append(found, Finding{
					Severity: Error,
					What:     fmt.Sprintf("the path %s of %s does not exist on this host", name, in.Name),
					Why:      "Its adverts go by the other paths only. If those break, there are two MASTERs.",
					Cure:     "correct the interface in also of " + in.Name,
				})
				continue
			}
			for _, other := range wires[:j+1] {
				if shared := sharedLink(all, name, other); shared != "" {
					found = append(found, Finding{
						Severity: Warning,
						What:     fmt.Sprintf("the paths %s and %s of %s both go by %s", other, name, in.Name, shared),
						Why:      "What breaks " + shared + " breaks both paths: there are two MASTERs then.",
						Cure:     "give the path an interface of its own, on another switch",
					})
				}
			}
		}
	}
	return found
}

// sharedLink returns an interface by which both of two interfaces go, "" if there is none.
func sharedLink(all []linkFacts, a, b string) string {
	below := beneath(all, index(all, a))
	for _, i := range beneath(all, index(all, b)) {
		if slices.Contains(below, i) {
			return all[slices.IndexFunc(all, func(f linkFacts) bool { return f.Index == i })].Name
		}
	}
	return ""
}

// beneath returns an interface and all that its frames go by: its parent, and the
// members of a bond or bridge.
func beneath(all []linkFacts, from int) []int {
	var list []int
	for next := []int{from}; len(next) > 0; {
		i := next[0]
		next = next[1:]
		if i == 0 || slices.Contains(list, i) {
			continue
		}
		list = append(list, i)
		for _, f := range all {
			switch {
			case f.Index == i:
				next = append(next, f.Parent)
			case f.Master == i:
				next = append(next, f.Index)
			}
		}
	}
	return list
}

func index(all []linkFacts, name string) int {
	for _, f := range all {
		if f.Name == name {
			return f.Index
		}
	}
	return 0
}
