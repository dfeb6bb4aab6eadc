package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// schedulers are the kernel's (net/netfilter/ipvs/ip_vs_*.c).
var schedulers = []string{
	"rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "sh", "lblc", "lblcr", "mh", "fo", "ovf", "twos",
}

// Schedulers returns the names of the schedulers of Linux, the common ones first.
// A given kernel may not have all of them.
func Schedulers() []string { return slices.Clone(schedulers) }

// ParseScheduler returns the kernel's name of a scheduler. It accepts the names of
// [Schedulers] in upper or lower case. It refuses others, because a misspelt name
// would otherwise show only when the kernel refuses the service.
func ParseScheduler(s string) (string, error) {
	name := strings.ToLower(s)
	if slices.Contains(schedulers, name) {
		return name, nil
	}
	return "", fmt.Errorf("unknown scheduler %q: want one of %s", s, strings.Join(schedulers, ", "))
}

// schedulerFlags are the flags of ipvsadm -b. A flag without a scheduler fits
// every scheduler.
var schedulerFlags = []struct {
	name, scheduler string
	flag            Flags
}{
	{"sh-fallback", "sh", FlagSched1},
	{"sh-port", "sh", FlagSched2},
	{"mh-fallback", "mh", FlagSched1},
	{"mh-port", "mh", FlagSched2},
	{"flag-1", "", FlagSched1},
	{"flag-2", "", FlagSched2},
	{"flag-3", "", FlagSched3},
}

// ParseSchedulerFlag returns the flag with a name of ipvsadm -b: sh-fallback,
// sh-port, mh-fallback and mh-port, with their own scheduler only, or flag-1,
// flag-2 and flag-3.
func ParseSchedulerFlag(scheduler, name string) (Flags, error) {
	var names []string
	for _, f := range schedulerFlags {
		if f.name == name && (f.scheduler == "" || f.scheduler == scheduler) {
			return f.flag, nil
		}
		if f.name == name {
			return 0, fmt.Errorf("%s is a flag of scheduler %s, not of %s", name, f.scheduler, scheduler)
		}
		names = append(names, f.name)
	}
	return 0, fmt.Errorf("unknown scheduler flag %q: want one of %s", name, strings.Join(names, ", "))
}

// flagNames returns the names of the scheduler flags in f as ipvsadm -S prints
// them.
func flagNames(scheduler string, f Flags) []string {
	var names []string
	var seen Flags
	for _, n := range schedulerFlags {
		if f&n.flag != 0 && seen&n.flag == 0 && (n.scheduler == scheduler || n.scheduler == "") {
			names = append(names, n.name)
			seen |= n.flag
		}
	}
	return names
}

// ParseForward returns the forwarding method of a name in upper or lower case:
// nat or masq, dr or gate, tun or ipip.
func ParseForward(s string) (Forward, error) {
	switch strings.ToLower(s) {
	case "nat", "masq":
		return NAT, nil
	case "dr", "gate":
		return DR, nil
	case "tun", "ipip":
		return TUN, nil
	}
	return 0, fmt.Errorf("unknown forwarding method %q: want nat, dr or tun", s)
}

// String returns "nat", "dr" or "tun".
func (f Forward) String() string {
	switch f {
	case NAT:
		return "nat"
	case DR:
		return "dr"
	case TUN:
		return "tun"
	}
	return fmt.Sprintf("forward(%d)", uint8(f))
}

// ParseProtocol returns the protocol of the name tcp, udp or sctp, in upper or
// lower case.
func ParseProtocol(s string) (Protocol, error) {
	switch strings.ToLower(s) {
	case "tcp":
		return TCP, nil
	case "udp":
		return UDP, nil
	case "sctp":
		return SCTP, nil
	}
	return 0, fmt.Errorf("unknown protocol %q: want tcp, udp or sctp", s)
}

// String returns "tcp", "udp", "sctp" or "".
func (p Protocol) String() string {
	switch p {
	case ProtocolNone:
		return ""
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	case SCTP:
		return "sctp"
	}
	return fmt.Sprintf("protocol(%d)", uint8(p))
}

// String returns "ipip", "gue" or "gre".
func (t TunnelType) String() string {
	switch t {
	case IPIP:
		return "ipip"
	case GUE:
		return "gue"
	case GRE:
		return "gre"
	}
	return fmt.Sprintf("tunnel(%d)", uint8(t))
}

// String returns "remove" or "quiesce".
func (d OnDown) String() string {
	if d == Quiesce {
		return "quiesce"
	}
	return "remove"
}

// String returns "always", "master" or "never".
func (a Active) String() string {
	switch a {
	case ActiveMaster:
		return "master"
	case ActiveNever:
		return "never"
	}
	return "always"
}

// String returns the key in words: "tcp 10.0.0.1:80", "fwmark 7" or
// "fwmark 7 ipv6". [Key.UnmarshalText] reads this form.
func (k Key) String() string {
	switch {
	case k.Mark == 0:
		return k.Protocol.String() + " " + k.Address.String()
	case k.IPv6:
		return fmt.Sprintf("fwmark %d ipv6", k.Mark)
	}
	return fmt.Sprintf("fwmark %d", k.Mark)
}

// MarshalText returns the form of String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the form of String.
func (k *Key) UnmarshalText(text []byte) error {
	f := strings.Fields(string(text))
	if len(f) >= 2 && f[0] == "fwmark" {
		mark, err := strconv.ParseUint(f[1], 10, 32)
		if err != nil || mark == 0 || len(f) > 3 || len(f) == 3 && f[2] != "ipv6" {
			return fmt.Errorf("parse service key %q: want \"fwmark N\" or \"fwmark N ipv6\"", text)
		}
		*k = Key{Mark: uint32(mark), IPv6: len(f) == 3}
		return nil
	}
	if len(f) != 2 {
		return fmt.Errorf("parse service key %q: want \"PROTOCOL ADDRESS:PORT\" or \"fwmark N\"", text)
	}
	protocol, err := ParseProtocol(f[0])
	if err != nil {
		return fmt.Errorf("parse service key %q: %w", text, err)
	}
	address, err := netip.ParseAddrPort(f[1])
	if err != nil {
		return fmt.Errorf("parse service key %q: %w", text, err)
	}
	*k = Key{Protocol: protocol, Address: address}.Canonical()
	return nil
}
