package conf

import (
	"errors"
	"slices"

	"holdfast/vrrp"
)

// A Path is one more interface by which the adverts of an instance go. Its Name is that
// of the interface.
type Path struct {
	vrrp.PathConfig
	TTL uint8 // TTL or hop limit of unicast adverts
}

// Wires returns the names of the interfaces by which the adverts of an instance go, its
// own first.
func (in *Instance) Wires() []string {
	list := []string{in.Interface}
	for i := range in.Also {
		list = append(list, in.Also[i].Name)
	}
	return list
}

// AllInterfaces returns the names of the interfaces of which an instance needs to know,
// each once: its own first, those of its addresses, those of its paths.
func (in *Instance) AllInterfaces() []string {
	list := in.Interfaces()
	for i := range in.Also {
		if name := in.Also[i].Name; !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func (p *Path) visit(t *table) {
	need(t, "interface", &p.Name, interfaceName)
	visitPeers(t, &p.Peers, &p.Unicast)
	visitSource(t, &p.Source, &p.Multicast, &p.TTL)
}

// resolveAlso fills in what follows from the keys of the paths, and checks them. tables
// are those of the paths.
func (in *Instance) resolveAlso(tables []*table) {
	if len(tables) != len(in.Also) {
		return // one of them is no table
	}
	seen := make(unique[string])
	for i, t := range tables {
		p := &in.Also[i]
		if t.ok("interface") && p.Name != "" {
			if p.Name == in.Interface {
				t.failf("interface", "%s is the instance's own interface: its adverts go there anyway", p.Name)
			}
			if first := seen.use(p.Name, t.where("interface")); first != "" {
				t.failf("interface", "%s is listed already, at %s", p.Name, first)
			}
		}
		if !p.Unicast && !p.Multicast.IsValid() {
			p.Multicast = in.Family.MulticastGroup()
		}
		resolveTTL(t, p.TTL, p.Unicast)
		in.Paths = append(in.Paths, p.PathConfig)
	}
	for i, t := range tables {
		for _, fault := range faults(in.ValidatePath(i + 1)) {
			if field, ok := errors.AsType[*vrrp.FieldError](fault); ok && t.ok(field.Key) {
				t.failf(field.Key, "%s", field.Problem)
			}
		}
	}
}

// forgetAlso clears what resolveAlso fills in.
func (in *Instance) forgetAlso() {
	in.Also = slices.Clone(in.Also)
	for i := range in.Also {
		if p := &in.Also[i]; !p.Unicast && p.Multicast == in.Family.MulticastGroup() {
			p.Multicast = (&Path{}).Multicast
		}
	}
}
