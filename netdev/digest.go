package netdev

import (
	"fmt"
	"hash/maphash"

	"holdfast/netdev/rtnl"
	"holdfast/netdev/sysctl"

	"golang.org/x/sys/unix"
)

// A digest is a hash of everything about links and addresses that Reconcile looks
// at. Two equal digests mean that nothing changed. To compute one costs a tenth of
// parsing all messages. Digests of two processes cannot be compared.
type digest struct{ links, addresses uint64 }

var digestSeed = maphash.MakeSeed()

// glance returns the digest of all links and addresses.
func glance(c *rtnl.Conn) (d digest, err error) {
	err = c.DumpWithin(dumpTries, linkDump, unix.RTM_NEWLINK, func() { d.links = 0 }, func(b []byte) error {
		d.addLink(b)
		return nil
	})
	if err != nil {
		return d, err
	}
	err = c.DumpWithin(dumpTries, addressDump, unix.RTM_NEWADDR, func() { d.addresses = 0 }, func(b []byte) error {
		d.addAddress(b)
		return nil
	})
	return d, err
}

// hostDigest is a hash of the sysctls that belong to no interface and that Reconcile
// looks at.
func hostDigest() (sum uint64) {
	for dir, names := range commonSettings() {
		if dir.name == "default" {
			names = []string{"rp_filter"} // the others matter when an interface is made
		}
		for _, name := range names {
			key := sysctl.Key(dir.family(), dir.name, name)
			value, err := sysctl.Read(key)
			sum += maphash.String(digestSeed, fmt.Sprint(key, " ", value, err != nil)) // in any order
		}
	}
	return sum
}

// mixIn adds bytes to a hash that depends on their order.
func mixIn(sum uint64, b []byte) uint64 {
	sum = (sum ^ maphash.Bytes(digestSeed, b)) * 0x9e3779b97f4a7c15
	return sum ^ sum>>32
}

// addLink adds what stays the same until somebody changes the link. It leaves out
// counters and the timers of bridges.
func (d *digest) addLink(b []byte) {
	if len(b) < unix.SizeofIfInfomsg {
		return
	}
	sum := mixIn(d.links, b[:unix.SizeofIfInfomsg])
	rtnl.EachAttribute(b[unix.SizeofIfInfomsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_IFNAME, unix.IFLA_IFALIAS, unix.IFLA_ADDRESS, unix.IFLA_LINK, unix.IFLA_LINK_NETNSID,
			unix.IFLA_MASTER, unix.IFLA_MTU, unix.IFLA_GROUP, unix.IFLA_PROTO_DOWN:
			sum = mixIn(sum, value)
		case unix.IFLA_LINKINFO:
			sum = mixInfo(sum, value)
		case unix.IFLA_AF_SPEC:
			sum = mixSettings(sum, value)
		}
	})
	d.links = sum
}

// mixInfo adds the attributes that link.readInfo reads.
func mixInfo(sum uint64, info []byte) uint64 {
	var ofKind bool
	rtnl.EachAttribute(info, func(kind uint16, value []byte) {
		switch {
		case kind == unix.IFLA_INFO_KIND:
			sum = mixIn(sum, value)
			ofKind = string(value) == "macvlan\x00" || string(value) == "vrf\x00"
		case kind == unix.IFLA_INFO_DATA && ofKind:
			sum = mixIn(sum, value)
		}
	})
	return sum
}

// mixSettings adds the sysctls of an interface.
func mixSettings(sum uint64, spec []byte) uint64 {
	eachConf(spec, func(_ uint16, values []byte) { sum = mixIn(sum, values) })
	return sum
}

// addAddress adds everything but the lifetimes of an address.
func (d *digest) addAddress(b []byte) {
	if len(b) < unix.SizeofIfAddrmsg {
		return
	}
	sum := mixIn(d.addresses, b[:unix.SizeofIfAddrmsg])
	rtnl.EachAttribute(b[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		if kind != unix.IFA_CACHEINFO {
			sum = mixIn(sum, value)
		}
	})
	d.addresses = sum
}
