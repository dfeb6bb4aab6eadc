package director

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
)

// Keys of the faults that the director raises in an instance.
const (
	faultLink     = "link"
	faultAddress  = "address"
	faultDevice   = "device"
	faultMTU      = "mtu"
	faultResource = "resource"
	faultTrack    = "track:" // and the tracker's name
)

// unitsPerTurn bounds how many units the speaker gets at a time: it makes their
// frames, and must not be late with the adverts of others meanwhile.
const unitsPerTurn = 128

// An instance is a virtual router on its interface.
type instance struct {
	conf *conf.Instance // of the configuration in force; nobody changes it
	unit string
	// What the speaker has.
	facts  netdev.Interface
	index  int // the interface's, while there is none its last one
	faults map[string]vrrp.Faulted
	device netdev.Device // with what is true of any of its devices

	extra        map[string]netdev.Interface // where it has addresses beside
	extraPortErr error                       // why the port is not open there
	wires        map[string]wire             // by which its adverts go besides, by interface
	stale        bool                        // its devices are not what its configuration wants

	track   []conf.Tracking         // what counts for it
	tracked map[string]vrrp.Faulted // by trackers, as told to the speaker; so is
	weight  int                     // what they add to the priority
	awaits  map[string]bool         // trackers that are not known since it started

	resourceFault string // why it must not be MASTER for its resources' sake; "": it may

	missing map[string]string // routes and rules that are not there, and why, as logged

	portErr error // why the port is not open on the interface
	added   bool  // the speaker has it

	reannounced time.Time // when its device was last repaired and announced again

	before status.Counters // what the binary before this one had counted
}

// spec is the device that an instance wants.
func spec(in *conf.Instance) netdev.Spec {
	s := netdev.Spec{
		Name: deviceName(in), Parent: in.Interface, MAC: frame.MAC(in.MAC.Address),
		Alias: in.Name, IPv6: in.Family == vrrp.IPv6, Egress: in.Egress, Refuse: !in.Accept,
		Owner: in.Priority == vrrp.PriorityOwner,
		Keep:  true, // what a crashed run left is served until it is known who is MASTER
	}
	s.Addresses = addressesOn(in, "")
	addPolicy(&s, in)
	return s
}

// deviceName identifies the device to netdev: the macvlan's name, or, where
// the addresses are on the interface itself, a text that no device can have.
func deviceName(in *conf.Instance) string {
	if in.MAC.Mode == conf.MACInterface {
		return in.Interface + "/" + in.Name
	}
	return in.Device
}

func (in *instance) setFacts(f netdev.Interface) {
	in.facts = f
	if f.Index != 0 {
		in.index = f.Index
	}
}

// diagnose says why an instance cannot be MASTER on its interface.
func diagnose(in *instance) map[string]vrrp.Faulted {
	faults := map[string]vrrp.Faulted{}
	fault := func(key string, wireLost bool, format string, args ...any) {
		faults[key] = vrrp.Faulted{Key: key, Problem: fmt.Sprintf(format, args...), WireLost: wireLost}
	}
	name, f := in.conf.Interface, &in.facts
	switch {
	case f.Index == 0:
		fault(faultLink, true, "interface %s does not exist", name)
	case f.Name != name: // and its wire works still, if it is up
		fault(faultLink, !f.Up, "interface %s does not exist; it is called %s now", name, f.Name)
	case !f.Admin:
		fault(faultLink, true, "interface %s is down", name)
	case !f.Up && in.conf.TrackLink:
		fault(faultLink, true, "interface %s has no carrier", name)
	case in.portErr != nil:
		fault(faultLink, true, "%v", in.portErr)
	case !source(in, f).IsValid():
		fault(faultAddress, false, "%s", noSource(in, f))
	}
	if n := advertLen(in.conf); f.Index != 0 && n > f.MTU {
		fault(faultMTU, false, "an advert with %d addresses has %d bytes, and interface %s carries %d: move addresses to excluded_addresses",
			len(in.conf.Addresses), n, name, f.MTU)
	}
	in.diagnoseExtraInterfaces(fault)
	if in.resourceFault != "" {
		fault(faultResource, false, "%s", in.resourceFault)
	}
	if in.device.Err != nil && f.Index != 0 {
		fault(faultDevice, false, "%v", in.device.Err)
	}
	return faults
}

// advertLen is the length of an instance's adverts with their IP header.
func advertLen(in *conf.Instance) int {
	header := 20
	if in.Family == vrrp.IPv6 {
		header = 40
	}
	return header + in.MessageLen() + in.Auth.Overhead()
}

func addressKind(f vrrp.Family) string {
	if f == vrrp.IPv6 {
		return "link-local IPv6"
	}
	return "IPv4"
}

// noSource says why an instance has no address for its adverts to come from. An
// address that the interface has but that cannot be used is named.
func noSource(in *instance, f *netdev.Interface) string {
	lacks := fmt.Sprintf("interface %s has no %s address of its own", in.conf.Interface, addressKind(in.conf.Family))
	fits := func(a netip.Addr) bool { return in.conf.Family == vrrp.IPv6 && a.IsLinkLocalUnicast() }
	if s := in.conf.Source; s.IsValid() {
		lacks = fmt.Sprintf("interface %s does not have the address %v, which adverts are to come from", in.conf.Interface, s)
		fits = func(a netip.Addr) bool { return a == s }
	}
	// A detection that runs can still end well.
	if i := slices.IndexFunc(f.Tentative, fits); i >= 0 {
		return fmt.Sprintf("interface %s cannot use its address %v yet: it is tentative, because duplicate address detection is not over", in.conf.Interface, f.Tentative[i])
	}
	if i := slices.IndexFunc(f.Duplicate, fits); i >= 0 {
		return fmt.Sprintf("interface %s cannot use its address %v: another host on the link has it (dadfailed)", in.conf.Interface, f.Duplicate[i])
	}
	return lacks
}

// source is the address that an instance's adverts come from; the zero Addr if
// the interface does not have it.
func source(in *instance, f *netdev.Interface) netip.Addr {
	if s := in.conf.Source; s.IsValid() {
		if !slices.ContainsFunc(f.Addresses, func(p netip.Prefix) bool { return p.Addr() == s }) {
			return netip.Addr{}
		}
		return s
	}
	if in.conf.Family == vrrp.IPv6 {
		return f.LinkLocal
	}
	return f.IPv4
}
