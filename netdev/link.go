package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"holdfast/netdev/frame"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// ifaProtocol is IFA_PROTO, the program that added an address. Linux before
	// 5.18 ignores it (include/uapi/linux/if_addr.h).
	ifaProtocol = 11
	// AddressProtocol marks our addresses in the kernel, as `ip address` shows it:
	// VRRP's IP protocol number. The kernel itself uses 1 to 3.
	AddressProtocol = 112
	// extMaskSkipStats leaves the counters out of a link message.
	extMaskSkipStats = 1 << 3
)

// A link is what the kernel says about an interface.
type link struct {
	index, parent, master int
	abroad                bool // the parent is in another network namespace
	name, alias, kind     string
	mac                   frame.MAC
	mtu                   int
	flags                 uint32
	group                 uint32
	table                 uint32 // vrf only: its routing table
	bridgeMode            bool   // macvlan only
	ethernet              bool
	conf                  *devconf // set for a macvlan, and in a message about a change
	settings              uint64   // a hash of the sysctls
	protoDown             bool
}

const carrierFlags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP

// up reports whether l is administratively up and has a carrier.
func (l *link) up() bool { return l.flags&carrierFlags == carrierFlags }

// An address is what the kernel says about an address on an interface.
type address struct {
	index     int
	prefix    netip.Prefix
	flags     uint32
	scope     uint8
	protocol  uint8  // 0: unknown
	label     string // IPv4 only, like the next
	broadcast netip.Addr
}

// parseLink reads the body of an RTM_NEWLINK or RTM_DELLINK message.
func parseLink(b []byte) (link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("parse link message: %d bytes are too short", len(b))
	}
	m := nl.DeserializeIfInfomsg(b)
	l := link{index: int(m.Index), flags: m.Flags, ethernet: m.Type == unix.ARPHRD_ETHER, kind: "device"}
	rtnl.EachAttribute(b[unix.SizeofIfInfomsg:], l.read)
	return l, nil
}

// read reads one attribute of a link message. The netlink library's reader
// allocates some fifty objects for a message, and a look reads one message for
// every link of the machine.
func (l *link) read(kind uint16, value []byte) {
	switch kind {
	case unix.IFLA_IFNAME:
		l.name = rtnl.AttributeText(value)
	case unix.IFLA_IFALIAS:
		l.alias = rtnl.AttributeText(value)
	case unix.IFLA_ADDRESS:
		if len(value) == len(l.mac) {
			l.mac = frame.MAC(value)
		}
	case unix.IFLA_LINK:
		l.parent = int(rtnl.AttributeNumber(value))
	case unix.IFLA_LINK_NETNSID:
		l.abroad = true
	case unix.IFLA_MASTER:
		l.master = int(rtnl.AttributeNumber(value))
	case unix.IFLA_MTU:
		l.mtu = int(rtnl.AttributeNumber(value))
	case unix.IFLA_GROUP:
		l.group = rtnl.AttributeNumber(value)
	case unix.IFLA_PROTO_DOWN:
		l.protoDown = len(value) > 0 && value[0] != 0
	case unix.IFLA_LINKINFO:
		l.readInfo(value)
	case unix.IFLA_AF_SPEC:
		l.settings = mixSettings(0, value)
	}
}

// readInfo reads the attributes that depend on the kind of a link. The kernel puts
// the kind first (net/core/rtnetlink.c rtnl_link_info_fill).
func (l *link) readInfo(info []byte) {
	rtnl.EachAttribute(info, func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_INFO_KIND:
			l.kind = rtnl.AttributeText(value)
		case unix.IFLA_INFO_DATA:
			rtnl.EachAttribute(value, func(kind uint16, value []byte) {
				switch {
				case l.kind == "macvlan" && kind == nl.IFLA_MACVLAN_MODE:
					l.bridgeMode = rtnl.AttributeNumber(value) == nl.MACVLAN_MODE_BRIDGE
				case l.kind == "vrf" && kind == nl.IFLA_VRF_TABLE:
					l.table = rtnl.AttributeNumber(value)
				}
			})
		}
	})
}

// muted reports whether l answers for no address.
func (l *link) muted() bool { return l.protoDown || l.flags&unix.IFF_NOARP != 0 }

// parseAddress reads the body of an RTM_NEWADDR or RTM_DELADDR message.
func parseAddress(b []byte) (address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, fmt.Errorf("parse address message: %d bytes are too short", len(b))
	}
	m := nl.DeserializeIfAddrmsg(b)
	a := address{index: int(m.Index), flags: uint32(m.Flags), scope: m.Scope}
	var local, peer netip.Addr
	rtnl.EachAttribute(b[unix.SizeofIfAddrmsg:], func(kind uint16, value []byte) {
		switch kind {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(value)
		case unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(value)
		case unix.IFA_FLAGS:
			if len(value) >= 4 {
				a.flags = binary.NativeEndian.Uint32(value)
			}
		case unix.IFA_LABEL:
			a.label = unix.ByteSliceToString(value)
		case unix.IFA_BROADCAST:
			a.broadcast, _ = netip.AddrFromSlice(value)
		case ifaProtocol:
			if len(value) >= 1 {
				a.protocol = value[0]
			}
		}
	})
	if !local.IsValid() { // IPv6 without a peer
		local = peer
	}
	a.prefix = netip.PrefixFrom(local, int(m.Prefixlen))
	if !a.prefix.IsValid() {
		return address{}, fmt.Errorf("parse address message: no valid address of length %d", m.Prefixlen)
	}
	return a, nil
}
