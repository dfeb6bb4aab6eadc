package netdev

import (
	"errors"
	"fmt"
	"time"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// An observation is the kernel's links and addresses at one time.
type observation struct {
	byName    map[string]*link
	byIndex   map[int]*link
	addresses map[int][]address // by interface index, in the kernel's order
	digest    digest
	// partialLinks and partialAddresses say that the table kept changing while it was
	// read. Then what was needed is right, but the rest may be missing.
	partialLinks, partialAddresses bool
}

// partial reports whether links or addresses may be missing.
func (o *observation) partial() bool { return o.partialLinks || o.partialAddresses }

// needs lists the interfaces of which an observation must tell the truth, also
// while the tables change all the time.
type needs struct {
	names   []string
	indexes []int
}

const (
	// dumpTries bounds the tries to read a whole table, if it is enough to ask
	// for the needed interfaces one by one instead.
	dumpTries = 10 * time.Millisecond
	// dumpTimeout bounds the tries if only the whole table will do, as for a
	// stop, which gives back the sysctls of all interfaces.
	dumpTimeout = 10 * time.Second
)

// observe reads all links and addresses. If the tables change during each try
// until limit, it asks for the needed interfaces one by one. So an interface that
// is missing in the observation does not exist, if it was needed.
func observe(c *rtnl.Conn, need needs, limit time.Duration) (*observation, error) {
	o := &observation{}
	resetLinks := func() { o.byName, o.byIndex, o.digest.links = map[string]*link{}, map[int]*link{}, 0 }
	err := c.DumpWithin(limit, linkDump, unix.RTM_NEWLINK, resetLinks, o.addLink)
	if errors.Is(err, rtnl.ErrInterrupted) {
		o.partialLinks = true
		err = o.confirmLinks(c, need)
	}
	if err != nil {
		return nil, fmt.Errorf("list links: %w", err)
	}
	resetAddresses := func() { o.addresses, o.digest.addresses = map[int][]address{}, 0 }
	err = c.DumpWithin(limit, addressDump, unix.RTM_NEWADDR, resetAddresses, o.addAddress)
	if errors.Is(err, rtnl.ErrInterrupted) {
		o.partialAddresses = true
		err = o.confirmAddresses(need)
	}
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return o, nil
}

func (o *observation) addLink(b []byte) error {
	l, err := parseLink(b)
	if err != nil {
		return err
	}
	if l.kind == "macvlan" { // the sysctls of other kinds are not looked at
		l.conf = parseDevconf(b[unix.SizeofIfInfomsg:])
	}
	o.byName[l.name], o.byIndex[l.index] = &l, &l
	o.digest.addLink(b)
	return nil
}

// askLimit is how many interfaces are asked for one by one rather than among all: beside
// fifty virtual routers, most links and addresses are theirs.
const askLimit = 4

// observeOnly is observe for nothing but the needed interfaces and the VRFs that they
// are in.
func observeOnly(c *rtnl.Conn, need needs, _ time.Duration) (*observation, error) {
	o := &observation{
		byName: map[string]*link{}, byIndex: map[int]*link{}, addresses: map[int][]address{},
		partialLinks: true, partialAddresses: true,
	}
	if err := o.confirmLinks(c, need); err != nil {
		return nil, fmt.Errorf("ask for links: %w", err)
	}
	if err := o.confirmAddresses(need); err != nil {
		return nil, fmt.Errorf("ask for addresses: %w", err)
	}
	return o, nil
}

// confirmLinks asks for each needed link by itself, which cannot be interrupted.
func (o *observation) confirmLinks(c *rtnl.Conn, need needs) error {
	for _, name := range need.names {
		b, err := c.Ask(linkQuery(0, name), unix.RTM_NEWLINK)
		if err := o.confirmLink(b, err, o.byName[name]); err != nil {
			return err
		}
	}
	for _, index := range need.indexes {
		b, err := c.Ask(linkQuery(index, ""), unix.RTM_NEWLINK)
		if err := o.confirmLink(b, err, o.byIndex[index]); err != nil {
			return err
		}
	}
	for _, l := range o.byIndex { // the VRFs that they are in
		if l.master == 0 || o.byIndex[l.master] != nil {
			continue
		}
		b, err := c.Ask(linkQuery(l.master, ""), unix.RTM_NEWLINK)
		if err := o.confirmLink(b, err, nil); err != nil {
			return err
		}
	}
	return nil
}

// confirmLink puts the answer about a link in the place of what a dump said.
func (o *observation) confirmLink(b []byte, err error, was *link) error {
	if was != nil && o.byIndex[was.index] == was {
		delete(o.byIndex, was.index)
		delete(o.byName, was.name)
	}
	switch {
	case rtnl.Gone(err):
		return nil
	case err != nil:
		return err
	}
	return o.addLink(b)
}

// confirmAddresses reads the addresses of each needed interface by itself. The
// kernel filters, so an answer is one message and cannot be interrupted by
// changes on other interfaces. Before Linux 5.0 it does not filter.
func (o *observation) confirmAddresses(need needs) error {
	c, err := rtnl.DialStrict()
	if err != nil {
		return err
	}
	defer c.Close()
	indexes := map[int]bool{}
	for _, name := range need.names {
		if l := o.byName[name]; l != nil {
			indexes[l.index] = true
		}
	}
	for _, index := range need.indexes {
		if o.byIndex[index] != nil {
			indexes[index] = true
		}
	}
	for index := range indexes {
		delete(o.addresses, index)
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			if err := o.addressesOf(c, family, index); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *observation) addressesOf(c *rtnl.Conn, family, index int) error {
	var all []address
	query := func() *nl.NetlinkRequest {
		r := nl.NewNetlinkRequest(unix.RTM_GETADDR, 0)
		m := nl.NewIfAddrmsg(family)
		m.Index = uint32(index)
		r.AddData(m)
		return r
	}
	err := c.Dump(query, unix.RTM_NEWADDR, func() { all = nil }, func(b []byte) error {
		a, err := parseAddress(b)
		if err == nil && a.index == index {
			all = append(all, a)
		}
		return err
	})
	// The interface may be gone by now, and the kernel may have no IPv6.
	if rtnl.Gone(err) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	o.addresses[index] = append(o.addresses[index], all...)
	return err
}

// addAddress adds one message of a dump of all families. Some of them have
// addresses of another kind (MCTP, Phonet).
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

// linkQuery asks for one link, by name if there is one.
func linkQuery(index int, name string) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.RTM_GETLINK, 0)
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index = int32(index)
	r.AddData(m)
	if name != "" {
		r.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name)))
	}
	r.AddData(nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(extMaskSkipStats)))
	return r
}

// lower returns the index of the device that a macvlan above l is attached to: the
// real device if l is itself a macvlan (drivers/net/macvlan.c
// macvlan_common_newlink).
func (o *observation) lower(l *link) int {
	if l.kind == "macvlan" {
		return l.parent
	}
	return l.index
}

// beside returns l and every link that receives the same frames as l: the
// macvlans above one device, and that device itself. Each of them answers ARP for
// every address of the host unless its sysctls forbid it.
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
