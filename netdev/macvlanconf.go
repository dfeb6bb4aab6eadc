package netdev

import (
	"fmt"
	"slices"
	"strconv"

	"holdfast/netdev/sysctl"
)

// A setting is a sysctl of a macvlan.
type setting struct{ family, name, value string }

// fixed4 are the IPv4 sysctls of every macvlan. The values are single digits.
var fixed4 = []setting{
	{"ipv4", "arp_ignore", "1"},          // answer for the addresses of this device only
	{"ipv4", "arp_announce", "2"},        // and send requests from them only
	{"ipv4", "arp_filter", "0"},          // the route back is the parent's, so a filter would drop requests
	{"ipv4", "arp_notify", "0"},          // the speaker announces the addresses
	{"ipv4", "arp_accept", "0"},          // do not learn neighbours from announcements
	{"ipv4", "proxy_arp", "0"},           // do not answer for other hosts
	{"ipv4", "rp_filter", "0"},           // the route back is the parent's
	{"ipv4", "accept_local", "0"},        // adverts are received on the parent; packets from our own addresses do not belong here
	{"ipv4", "drop_gratuitous_arp", "1"}, // a MASTER that is about to hand over must not answer its successor's
	{"ipv4", "promote_secondaries", "1"}, // deleting the first address of a subnet must not delete the others
}

// copied4 and copied6 are the sysctls that a macvlan takes from its parent, so that
// packets to a virtual address are treated as if they had come in on the parent.
var (
	copied4 = []string{
		"forwarding", "send_redirects", "accept_redirects", "secure_redirects", "shared_media",
		"accept_source_route", "route_localnet", "log_martians",
	}
	copied6 = []string{"forwarding", "accept_redirects", "accept_source_route"}
)

// fixed6 are the IPv6 sysctls of a macvlan that has IPv6. They keep the kernel from
// configuring and announcing anything on the device by itself.
var fixed6 = []setting{
	{"ipv6", "disable_ipv6", "0"},
	{"ipv6", "accept_ra", "0"},
	{"ipv6", "autoconf", "0"},
	{"ipv6", "accept_dad", "0"},
	{"ipv6", "dad_transmits", "0"},
	{"ipv6", "keep_addr_on_down", "0"},
	{"ipv6", "ndisc_notify", "0"},
	{"ipv6", "proxy_ndp", "0"},
	{"ipv6", "drop_unsolicited_na", "1"},
	// The kernel repeats multicast listener reports at random within this many
	// milliseconds. A late one could leave when the device is muted again.
	{"ipv6", "mldv2_unsolicited_report_interval", "100"},
}

// noOwnAddress keeps the kernel from giving the device a link-local address when it comes
// up. NetworkManager 1.42 turns it back when it stops, even on devices that it does not
// manage.
var noOwnAddress = setting{"ipv6", "addr_gen_mode", strconv.Itoa(addrGenModeNone)}

// A parentConf caches the sysctls for the macvlans of a parent during one pass.
type parentConf map[parentKey]*holding

type parentKey struct {
	parent string
	ipv6   bool // for a device that needs IPv6
	narrow bool // for one that cannot have it
}

// minMTU6 is the MTU below which the kernel takes IPv6 away from an interface, with its
// sysctls (IPV6_MIN_MTU; RFC 8200 §5).
const minMTU6 = 1280

// narrow reports whether an interface has no IPv6 because its MTU is too small.
func (l *link) narrow() bool { return l != nil && l.mtu > 0 && l.mtu < minMTU6 }

// settings returns the sysctls of the macvlan of a spec. narrow says that its MTU is too
// small for IPv6.
func (c parentConf) settings(s *Spec, narrow bool) (*holding, error) {
	key := parentKey{s.Parent, s.wantsIPv6(), narrow}
	if all := c[key]; all != nil {
		return all, nil
	}
	all, err := settings(s, narrow)
	if err != nil {
		return nil, err
	}
	c[key] = &holding{settings: all}
	return c[key], nil
}

func settings(s *Spec, narrow bool) ([]setting, error) {
	all := slices.Clone(fixed4)
	add := func(family string, names []string) error {
		for _, name := range names {
			v, err := sysctl.Read(sysctl.Key(family, s.Parent, name))
			if err != nil {
				return err
			}
			all = append(all, setting{family, name, v})
		}
		return nil
	}
	if err := add("ipv4", copied4); err != nil {
		return nil, err
	}
	switch {
	case s.wantsIPv6() && narrow:
		return nil, fmt.Errorf("the MTU of %s is below %d, which IPv6 needs: raise that of %s", s.Name, minMTU6, s.Parent)
	case s.wantsIPv6():
		if !sysctl.HasIPv6() {
			return nil, fmt.Errorf("device %s: this kernel has no IPv6, or it is switched off", s.Name)
		}
		all = append(append(all, fixed6...), noOwnAddress)
		return all, add("ipv6", copied6)
	case sysctl.HasIPv6() && !narrow:
		all = append(all, setting{"ipv6", "disable_ipv6", "1"}, noOwnAddress)
	}
	return all, nil
}

// configure sets the sysctls of a macvlan, and returns what it changed, in words,
// and which it could not set. told is what a link message said about them; those
// that it did not mention are read.
func configure(s *Spec, all []setting, told *devconf) (did []string, failed []*ObjectError) {
	for _, set := range all {
		key := sysctl.Key(set.family, s.Name, set.name)
		now, ok := told.get(set.family, set.name)
		var err error
		if !ok {
			now, err = sysctl.Read(key)
		}
		if err == nil && now == set.value {
			continue
		}
		if err == nil {
			err = sysctl.Write(key, set.value)
		}
		if err != nil {
			failed = append(failed, &ObjectError{ObjectSysctl, sysctl.Name(key), s.Name, err})
			continue
		}
		did = append(did, fmt.Sprintf("%s was %s: set to %s", sysctl.Name(key), now, set.value))
	}
	return did, failed
}
