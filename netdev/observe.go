package netdev

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
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
	name, alias, kind     string
	mac                   MAC
	mtu                   int
	flags                 uint32
	group                 uint32
	bridgeMode            bool // macvlan only
	ethernet              bool
	conf                  *devconf // nil in an event
	protoDown             bool
}

const carrierFlags = unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOWER_UP

// up reports whether l is administratively up and has a carrier.
func (l *link) up() bool { return l.flags&carrierFlags == carrierFlags }

// An address is what the kernel says of an address on an interface.
type address struct {
	index    int
	prefix   netip.Prefix
	flags    uint32
	protocol uint8 // 0: unknown
}

// parseLink reads the body of an RTM_NEWLINK or RTM_DELLINK message.
func parseLink(b []byte) (link, error) {
	if len(b) < unix.SizeofIfInfomsg {
		return link{}, fmt.Errorf("parse link message: %d bytes are too short", len(b))
	}
	parsed, err := netlink.LinkDeserialize(nil, b)
	if err != nil {
		return link{}, fmt.Errorf("parse link message: %w", err)
	}
	a := parsed.Attrs()
	l := link{
		index: a.Index, parent: a.ParentIndex, master: a.MasterIndex, name: a.Name, alias: a.Alias,
		kind: parsed.Type(), mtu: a.MTU, group: a.Group, flags: a.RawFlags, ethernet: a.EncapType == "ether",
	}
	if len(a.HardwareAddr) == len(l.mac) {
		l.mac = MAC(a.HardwareAddr)
	}
	if m, ok := parsed.(*netlink.Macvlan); ok {
		l.bridgeMode = m.Mode == netlink.MACVLAN_MODE_BRIDGE
	}
	attributes, err := nl.ParseRouteAttr(b[unix.SizeofIfInfomsg:])
	if err != nil {
		return link{}, fmt.Errorf("parse link message: %w", err)
	}
	for _, at := range attributes { // the library passes this one over
		if at.Attr.Type == unix.IFLA_PROTO_DOWN && len(at.Value) > 0 {
			l.protoDown = at.Value[0] != 0
		}
	}
	return l, nil
}

// quiet reports whether l speaks for no address.
func (l *link) quiet() bool { return l.protoDown || l.flags&unix.IFF_NOARP != 0 }

// parseAddress reads the body of an RTM_NEWADDR or RTM_DELADDR message.
func parseAddress(b []byte) (address, error) {
	if len(b) < unix.SizeofIfAddrmsg {
		return address{}, fmt.Errorf("parse address message: %d bytes are too short", len(b))
	}
	m := nl.DeserializeIfAddrmsg(b)
	attributes, err := nl.ParseRouteAttr(b[unix.SizeofIfAddrmsg:])
	if err != nil {
		return address{}, fmt.Errorf("parse address message: %w", err)
	}
	a := address{index: int(m.Index), flags: uint32(m.Flags)}
	var local, peer netip.Addr
	for _, at := range attributes {
		switch at.Attr.Type {
		case unix.IFA_LOCAL:
			local, _ = netip.AddrFromSlice(at.Value)
		case unix.IFA_ADDRESS:
			peer, _ = netip.AddrFromSlice(at.Value)
		case unix.IFA_FLAGS:
			if len(at.Value) >= 4 {
				a.flags = binary.NativeEndian.Uint32(at.Value)
			}
		case ifaProtocol:
			if len(at.Value) >= 1 {
				a.protocol = at.Value[0]
			}
		}
	}
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
}

// observe reads all links and addresses.
func observe(c *conn) (*observation, error) {
	o := &observation{}
	resetLinks := func() { o.byName, o.byIndex = map[string]*link{}, map[int]*link{} }
	err := c.dump(linkDump, unix.RTM_NEWLINK, resetLinks, func(b []byte) error {
		l, err := parseLink(b)
		if err == nil {
			l.conf = parseDevconf(b[unix.SizeofIfInfomsg:])
			o.byName[l.name], o.byIndex[l.index] = &l, &l
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	resetAddresses := func() { o.addresses = map[int][]address{} }
	err = c.dump(addressDump, unix.RTM_NEWADDR, resetAddresses, func(b []byte) error {
		a, err := parseAddress(b)
		if err == nil {
			o.addresses[a.index] = append(o.addresses[a.index], a)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return o, nil
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

// vrf returns the index of the VRF that l is in, or 0.
func (o *observation) vrf(l *link) int {
	if m := o.byIndex[l.master]; m != nil && m.kind == "vrf" {
		return m.index
	}
	return 0
}
