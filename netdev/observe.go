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
	// ifaProtocol is IFA_PROTO, who put an address there; since Linux 5.18,
	// and silently ignored before (include/uapi/linux/if_addr.h).
	ifaProtocol = 11
	// AddressProtocol marks our addresses, as `ip address` shows them: VRRP's
	// IP protocol number. The kernel itself uses 1 to 3.
	AddressProtocol = 112
	// extMaskSkipStats leaves the counters out of a link dump.
	extMaskSkipStats = 1 << 3
)

// A link is what the kernel says of an interface.
type link struct {
	index, parent, master int
	abroad                bool // parent is of another network namespace
	name, alias, kind     string
	mac                   frame.MAC
	mtu                   int
	flags                 uint32
	group                 uint32
	table                 uint32 // vrf only: its routing table
	bridgeMode            bool   // macvlan only
	ethernet              bool
	conf                  *devconf // macvlan only, or in a message of a change
	settings              uint64   // a sum of the sysctls
	protoDown             bool
}

const carrierFlags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP

// up reports whether l is administratively up and has a carrier.
func (l *link) up() bool { return l.flags&carrierFlags == carrierFlags }

// An address is what the kernel says of an address on an interface.
type address struct {
	index     int
	prefix    netip.Prefix
	flags     uint32
	scope     uint8
	protocol  uint8  // 0: unknown
	label     string // IPv4 alone, as the next
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

// read takes in one attribute of a link message. The library's own reader makes
// some fifty objects of each message, and there is one for every link of the
// machine at every look.
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

// readInfo takes in what links of a kind have of their own. The kernel tells the
// kind first (net/core/rtnetlink.c rtnl_link_info_fill).
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

// quiet reports whether l speaks for no address.
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

// An observation is the kernel's links and addresses at one time.
type observation struct {
	byName    map[string]*link
	byIndex   map[int]*link
	addresses map[int][]address // by interface index, in the kernel's order
	digest    digest
}

// observe reads all links and addresses.
func observe(c *rtnl.Conn) (*observation, error) {
	o := &observation{}
	resetLinks := func() { o.byName, o.byIndex, o.digest.links = map[string]*link{}, map[int]*link{}, 0 }
	err := c.Dump(linkDump, unix.RTM_NEWLINK, resetLinks, func(b []byte) error {
		l, err := parseLink(b)
		if err == nil {
			if l.kind == "macvlan" { // nobody asks for that of others
				l.conf = parseDevconf(b[unix.SizeofIfInfomsg:])
			}
			o.byName[l.name], o.byIndex[l.index] = &l, &l
			o.digest.addLink(b)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	resetAddresses := func() { o.addresses, o.digest.addresses = map[int][]address{}, 0 }
	err = c.Dump(addressDump, unix.RTM_NEWADDR, resetAddresses, o.addAddress)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return o, nil
}

// addAddress takes in one message of a dump of all families, of which some have
// addresses of their own kind (MCTP, Phonet).
func (o *observation) addAddress(b []byte) error {
	o.digest.addAddress(b)
	if len(b) > 0 && b[0] != unix.AF_INET && b[0] != unix.AF_INET6 {
		return nil
	}
	a, err := parseAddress(b)
	if err == nil {
		o.addresses[a.index] = append(o.addresses[a.index], a)
	}
	return err
}

func linkDump() *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	r.AddData(nl.NewIfInfomsg(unix.AF_UNSPEC))
	r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extMaskSkipStats)))
	return r
}

func addressDump() *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_GETADDR, 0)
	r.AddData(nl.NewIfAddrmsg(unix.AF_UNSPEC))
	return r
}

// lower returns the index of the device on which the kernel puts a macvlan
// above l: the real one if l is itself a macvlan (drivers/net/macvlan.c
// macvlan_common_newlink).
func (o *observation) lower(l *link) int {
	if l.kind == "macvlan" {
		return l.parent
	}
	return l.index
}

// beside returns l and all that hears the same wire as l: the macvlans above one
// device, and that device itself. Each of them answers ARP for every address of
// the host, unless told otherwise.
func (o *observation) beside(l *link) []*link {
	lower, abroad := o.lower(l), l.kind == "macvlan" && l.abroad
	all := []*link{l}
	for _, other := range o.byIndex {
		device := other.index == lower && !abroad
		if other != l && (device || other.kind == "macvlan" && other.parent == lower && other.abroad == abroad) {
			all = append(all, other)
		}
	}
	return all
}

// vrf returns the index of the VRF that l is in, or 0.
func (o *observation) vrf(l *link) int {
	if m := o.byIndex[l.master]; m != nil && m.kind == "vrf" {
		return m.index
	}
	return 0
}
