package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"holdfast/vrrp"
)

var checksum = choice(
	option[vrrp.Checksum]{"pseudo", vrrp.ChecksumPseudo},
	option[vrrp.Checksum]{"rfc9568", vrrp.ChecksumRFC9568},
)

var addressCheck = choice(
	option[vrrp.AddressCheck]{"count", vrrp.AddressCount},
	option[vrrp.AddressCheck]{"drop", vrrp.AddressDrop},
)

func (in *Instance) visit(t *table) {
	need(t, "name", &in.Name, name)
	need(t, "interface", &in.Interface, interfaceName)
	need(t, "vrid", &in.VRID, integer[uint8](1, 255))
	field(t, "version", &in.Version, integer[uint8](2, 3), 3)
	field(t, "priority", &in.Priority, integer[uint8](1, 255), 100)
	// vrrp.Config.Validate knows the bounds, which differ by version.
	field(t, "interval", &in.Interval, duration(0, time.Hour), time.Second)
	field(t, "preempt", &in.Preempt, boolean, true)
	field(t, "preempt_delay", &in.PreemptDelay, duration(0, 24*time.Hour), 0)
	in.visitPatience(t)
	in.visitPeers(t)
	field(t, "mac", &in.MAC, mac, MAC{})
	field(t, "device", &in.Device, optional(deviceName), "")
	need(t, "addresses", &in.Prefixes, listOf(virtualAddress))
	field(t, "excluded_addresses", &in.Excluded, listOf(virtualAddress), nil)
	field(t, "track", &in.Track, listOf(tracking), nil)
	field(t, "checksum", &in.Checksum, checksum, vrrp.ChecksumPseudo)
	field(t, "address_check", &in.AddressCheck, addressCheck, vrrp.AddressCount)
	t.sub("auth", in.visitAuth)
	t.sub("garp", in.Announce.visit)
	t.sub("notify", in.Notify.visit)
	in.visitPolicy(t)
	if t.reading() {
		in.resolve(t)
	}
}

// resolve derives what the file says in other words, and checks the instance.
func (in *Instance) resolve(t *table) {
	in.Family = vrrp.IPv4
	if len(in.Prefixes) > 0 {
		in.Family = vrrp.FamilyOf(in.Prefixes[0].Addr())
	}
	in.Addresses = make([]netip.Addr, len(in.Prefixes))
	for i, p := range in.Prefixes {
		in.Addresses[i] = p.Addr()
	}
	switch in.MAC.Mode {
	case MACVirtual:
		in.MAC.Address = vrrp.VirtualMAC(in.Family, in.VRID)
	case MACPrivate:
		in.MAC.Address = PrivateMAC(in.Family, in.VRID, in.Name)
	case MACInterface:
		t.forbid(`with mac = "interface", which makes no device`, "device")
	}
	if in.Version == 2 && in.Checksum == vrrp.ChecksumRFC9568 {
		t.failf("checksum", "is a matter of version 3")
	}
	for _, fault := range faults(in.Config.Validate()) {
		if field, ok := errors.AsType[*vrrp.FieldError](fault); ok && t.ok(field.Key) {
			t.failf(field.Key, "%s", field.Problem)
		}
	}
}

// faults takes apart what errors.Join put together.
func faults(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// virtualAddress is an address with its prefix length; without one it stands
// alone, as /32 or /128.
var virtualAddress = textual(`an address with its prefix length, like "10.0.0.100/24",`, func(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if a, alone := netip.ParseAddr(s); alone == nil {
		p, err = netip.PrefixFrom(a.WithZone(""), a.BitLen()), nil
		if a.Zone() != "" {
			return p, fmt.Errorf("%s: a zone has no place here", quoteShort(s))
		}
	}
	if err != nil {
		return p, fmt.Errorf(`%s is not an address with its prefix length, like "10.0.0.100/24"`, quoteShort(s))
	}
	a, err := plainAddress(p.Addr())
	switch {
	case err != nil:
		return p, err
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback():
		return p, fmt.Errorf("%v cannot be a virtual address", a)
	case a.Is4() && p.Bits() < 31 && p.Masked().Addr() == a:
		return p, fmt.Errorf("%v is the network itself, not an address in it", p)
	}
	return p, nil
}, netip.Prefix.String)

func (a *Announce) visit(t *table) {
	field(t, "repeat", &a.Repeat, integer[int](1, 100), 5)
	field(t, "delay", &a.Delay, duration(0, time.Hour), 5*time.Second)
	field(t, "refresh", &a.Refresh, duration(0, 24*time.Hour), time.Minute)
	field(t, "refresh_repeat", &a.RefreshRepeat, integer[int](1, 100), 1)
	field(t, "interval", &a.Interval, duration(0, time.Second), time.Millisecond)
}
