package conf

import (
	"fmt"
	"net/netip"

	"holdfast/vrrp"
)

// A Route is a route that is there while an instance holds its addresses.
type Route struct {
	To     netip.Prefix
	Via    netip.Addr // the zero Addr: on the link
	Device string     // "": the device of the virtual addresses
	Table  uint32
	Source netip.Addr // preferred; the zero Addr: the kernel's choice
	Metric uint32     // 0: the kernel's
}

// A Rule is a routing rule that is there while an instance holds its addresses.
type Rule struct {
	From, To  netip.Prefix // the zero Prefix: any
	Family    vrrp.Family
	Interface string // by which packets come in; "": any
	Mark      uint32 // 0: any
	Table     uint32
	Priority  uint32
}

// vmac names the device of the virtual addresses, whatever it is called and
// whether or not it exists yet.
const vmac = "vmac"

var routeDevice = textual("an interface's name", func(s string) (string, error) {
	if s == vmac {
		return "", nil
	}
	return interfaceName.decodeText(s)
}, func(s string) string {
	if s == "" {
		return vmac
	}
	return s
})

var (
	routeTable = integer[uint32](1, 1<<32-1)
	ruleFamily = choice(option[vrrp.Family]{"ipv4", vrrp.IPv4}, option[vrrp.Family]{"ipv6", vrrp.IPv6})
)

func (r *Route) visit(t *table) {
	need(t, "to", &r.To, routePrefix)
	field(t, "via", &r.Via, optional(neighbourAddress), netip.Addr{})
	field(t, "device", &r.Device, routeDevice, "")
	field(t, "table", &r.Table, routeTable, mainTable)
	field(t, "source", &r.Source, optional(neighbourAddress), netip.Addr{})
	field(t, "metric", &r.Metric, integer[uint32](0, 1<<32-1), 0)
	if !t.reading() || !t.ok("to") || !r.To.IsValid() {
		return
	}
	for key, a := range map[string]netip.Addr{"via": r.Via, "source": r.Source} {
		if a.IsValid() && t.ok(key) && a.Is4() != r.To.Addr().Is4() {
			t.failf(key, "%v is of another family than %v", a, r.To)
		}
	}
}

func (r *Rule) visit(t *table, own vrrp.Family) {
	need(t, "priority", &r.Priority, integer[uint32](1, 32765)) // 32766 is the kernel's, for main
	need(t, "table", &r.Table, routeTable)
	field(t, "from", &r.From, optional(routePrefix), netip.Prefix{})
	field(t, "to", &r.To, optional(routePrefix), netip.Prefix{})
	field(t, "interface", &r.Interface, optional(interfaceName), "")
	field(t, "mark", &r.Mark, optional(integer[uint32](1, 1<<32-1)), 0)
	prefix := r.From
	if !prefix.IsValid() {
		prefix = r.To
	}
	if t.reading() || !prefix.IsValid() {
		field(t, "family", &r.Family, ruleFamily, own)
	}
	if !t.reading() {
		return
	}
	if prefix.IsValid() {
		t.forbid("with an address, which tells", "family")
		r.Family = vrrp.FamilyOf(prefix.Addr())
	}
	if r.From.IsValid() && r.To.IsValid() && r.From.Addr().Is4() != r.To.Addr().Is4() {
		t.failf("to", "%v is of another family than %v", r.To, r.From)
	}
	if !t.has("from") && !t.has("to") && !t.has("interface") && !t.has("mark") {
		t.failf("", "a rule needs one of from, to, interface and mark: this one would be for all packets")
	}
}

// visitPolicy walks over the routes and rules of an instance.
func (in *Instance) visitPolicy(t *table) {
	list(t, "route", &in.Routes, func(t *table, r *Route) { r.visit(t) })
	own := vrrp.IPv4
	if len(in.Prefixes) > 0 {
		own = vrrp.FamilyOf(in.Prefixes[0].Addr())
	}
	priorities := unique[string]{}
	list(t, "rule", &in.Rules, func(t *table, r *Rule) {
		r.visit(t, own)
		if !t.reading() || r.Priority == 0 || !t.ok("priority", "table") {
			return
		}
		key := fmt.Sprint(r.Family, r.Priority, r.Table)
		if first := priorities.use(key, t.where("priority")); first != "" {
			t.failf("priority", "%d is taken for table %d, by %s", r.Priority, r.Table, first)
		}
	})
}
