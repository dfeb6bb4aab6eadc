package netdev

import (
	"encoding/binary"
	"strconv"

	"holdfast/netdev/rtnl"

	"golang.org/x/sys/unix"
)

// A devconf is what a link message says about an interface's sysctls: the arrays of
// include/uapi/linux/ip.h and ipv6.h. With it a dump of links tells the sysctls of a
// thousand devices, and no file has to be opened.
type devconf struct{ v4, v6 [confLen]int32 }

// confLen is more than we read of either array. An entry that a kernel does not have
// is confAbsent.
const (
	confLen    = 48
	confAbsent = -1 << 31
)

// Indexes in the arrays, from 0. IPV4_DEVCONF_* count from 1.
var (
	places4 = map[string]int{
		"forwarding": 0, "proxy_arp": 2, "accept_redirects": 3, "secure_redirects": 4, "send_redirects": 5,
		"shared_media": 6, "rp_filter": 7, "accept_source_route": 8, "log_martians": 10, "arp_filter": 12,
		"arp_announce": 17, "arp_ignore": 18, "promote_secondaries": 19, "arp_accept": 20, "arp_notify": 21,
		"accept_local": 22, "route_localnet": 25, "drop_gratuitous_arp": 30,
	}
	places6 = map[string]int{
		"forwarding": 0, "accept_ra": 3, "accept_redirects": 4, "autoconf": 5, "dad_transmits": 6,
		"proxy_ndp": 22, "accept_source_route": 24, "disable_ipv6": 26, "accept_dad": 27, "ndisc_notify": 29,
		"mldv2_unsolicited_report_interval": 31,
		"drop_unsolicited_na":               41, "keep_addr_on_down": 42, "addr_gen_mode": 47,
	}
)

// The attributes that hold the arrays (include/uapi/linux/if_link.h).
const (
	iflaInetConf  = 1 // below AF_INET
	iflaInet6Conf = 2 // below AF_INET6
)

// parseDevconf reads the attributes of a link message.
func parseDevconf(attributes []byte) *devconf {
	c := &devconf{}
	for i := range confLen {
		c.v4[i], c.v6[i] = confAbsent, confAbsent
	}
	rtnl.EachAttribute(attributes, func(kind uint16, value []byte) {
		if kind != unix.IFLA_AF_SPEC {
			return
		}
		eachConf(value, func(family uint16, values []byte) {
			if family == unix.AF_INET {
				fillConf(&c.v4, values)
			} else {
				fillConf(&c.v6, values)
			}
		})
	})
	return c
}

// eachConf calls do with the arrays in an IFLA_AF_SPEC and their families.
func eachConf(spec []byte, do func(family uint16, values []byte)) {
	rtnl.EachAttribute(spec, func(family uint16, value []byte) {
		rtnl.EachAttribute(value, func(kind uint16, value []byte) {
			if family == unix.AF_INET && kind == iflaInetConf || family == unix.AF_INET6 && kind == iflaInet6Conf {
				do(family, value)
			}
		})
	})
}

func fillConf(into *[confLen]int32, b []byte) {
	for i := 0; i < confLen && len(b) >= 4; i++ {
		into[i] = int32(binary.NativeEndian.Uint32(b))
		b = b[4:]
	}
}

// get returns the value of a sysctl as its file in /proc has it. It returns false if
// the message does not mention it.
func (c *devconf) get(family, name string) (string, bool) {
	places, values := places4, &c.v4
	if family == "ipv6" {
		places, values = places6, &c.v6
	}
	place, known := places[name]
	if !known || values[place] == confAbsent {
		return "", false
	}
	return strconv.Itoa(int(values[place])), true
}
