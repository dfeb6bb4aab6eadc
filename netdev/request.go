package netdev

import (
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const (
	// iflaInet6AddrGenMode is IFLA_INET6_ADDR_GEN_MODE.
	iflaInet6AddrGenMode = 8
	addrGenModeNone      = 1
	forever              = 0xffffffff
)

// requests returns the netlink messages of an op. ipv6 says whether the kernel has
// IPv6.
func (o op) requests(owner string, ipv6 bool) []*nl.NetlinkRequest {
	switch o.verb {
	case create:
		return o.createRequests(owner, ipv6)
	case remove:
		return []*nl.NetlinkRequest{linkRequest(unix.RTM_DELLINK, 0, o.index, 0, 0)}
	case setLink:
		r := linkRequest(unix.RTM_SETLINK, 0, o.index, o.flags, o.mask)
		if o.rename {
			markLink(r, aliasOf(owner, &o.device.spec), ipv6)
		}
		if o.setMaster {
			r.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(o.master))))
		}
		if o.mtu != 0 {
			r.AddData(nl.NewRtAttr(unix.IFLA_MTU, nl.Uint32Attr(uint32(o.mtu))))
		}
		if o.setProto && o.protoDown {
			return []*nl.NetlinkRequest{protoDownRequest(o.index), r}
		}
		if o.setProto {
			setProtoDown(r, false)
		}
		return []*nl.NetlinkRequest{r}
	case addAddress:
		return []*nl.NetlinkRequest{addRequest(o.index, o.address, o.noPrefixRoute)}
	default:
		return []*nl.NetlinkRequest{deleteAddressRequest(o.index, o.prefix)}
	}
}

// createRequests makes a macvlan that is down. A second message sets what the first
// cannot: its alias, its VRF, and that the kernel gives it no link-local address
// when it comes up.
func (o op) createRequests(owner string, ipv6 bool) []*nl.NetlinkRequest {
	s := &o.device.spec
	add := linkRequest(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, 0, 0, 0)
	add.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.Name)))
	add.AddData(nl.NewRtAttr(unix.IFLA_LINK, nl.Uint32Attr(uint32(o.parent))))
	add.AddData(nl.NewRtAttr(unix.IFLA_ADDRESS, s.MAC[:]))
	info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_KIND, nl.NonZeroTerminated("macvlan"))
	info.AddRtAttr(nl.IFLA_INFO_DATA, nil).AddRtAttr(nl.IFLA_MACVLAN_MODE, nl.Uint32Attr(nl.MACVLAN_MODE_BRIDGE))
	add.AddData(info)

	set := linkRequest(unix.RTM_SETLINK, 0, 0, 0, 0)
	set.AddData(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.Name)))
	markLink(set, aliasOf(owner, s), ipv6)
	if o.master != 0 {
		set.AddData(nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(o.master))))
	}
	return []*nl.NetlinkRequest{add, set}
}

// markLink sets the alias, and those sysctls of a device that a message can set. That
// saves writing as many files in /proc.
func markLink(r *nl.NetlinkRequest, alias string, ipv6 bool) {
	r.AddData(nl.NewRtAttr(unix.IFLA_IFALIAS, []byte(alias)))
	spec := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	conf := spec.AddRtAttr(unix.AF_INET, nil).AddRtAttr(iflaInetConf, nil)
	for _, set := range fixed4 {
		place, value := places4[set.name]+1, set.value[0]-'0' // IPV4_DEVCONF_* count from 1
		conf.AddRtAttr(place, nl.Uint32Attr(uint32(value)))
	}
	if ipv6 {
		spec.AddRtAttr(unix.AF_INET6, nil).AddRtAttr(iflaInet6AddrGenMode, []byte{addrGenModeNone})
	}
	r.AddData(spec)
}

// operDormant is IF_OPER_DORMANT (RFC 2863).
const operDormant = 5

// setDormant keeps the kernel from repeating its multicast reports because of a
// change (see muteFlags).
func setDormant(r *nl.NetlinkRequest) {
	r.AddData(nl.NewRtAttr(unix.IFLA_OPERSTATE, []byte{operDormant}))
}

// protoDownRequest sets protocol down, and makes the link dormant until the kernel has
// noticed it. Flags must be changed in another request: within one, the kernel
// changes them first (net/core/rtnetlink.c do_setlink).
func protoDownRequest(index int) *nl.NetlinkRequest {
	r := linkRequest(unix.RTM_SETLINK, 0, index, 0, 0)
	setDormant(r)
	setProtoDown(r, true)
	return r
}

func setProtoDown(r *nl.NetlinkRequest, on bool) {
	value := []byte{0}
	if on {
		value[0] = 1
	}
	r.AddData(nl.NewRtAttr(unix.IFLA_PROTO_DOWN, value))
}

func linkRequest(kind, flags, index int, set, mask uint32) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(kind, flags)
	m := nl.NewIfInfomsg(unix.AF_UNSPEC)
	m.Index, m.Flags, m.Change = int32(index), set&mask, mask
	r.AddData(m)
	return r
}

func deleteAddressRequest(index int, p netip.Prefix) *nl.NetlinkRequest {
	return addressRequest(unix.RTM_DELADDR, 0, index, p, 0)
}
