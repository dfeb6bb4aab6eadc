package lvs_test

import (
	"fmt"
	"testing"

	"holdfast/lvs"
)

func TestNamesAreReadBack(t *testing.T) {
	check := func(s fmt.Stringer, parsed any, err error) {
		t.Helper()
		if err != nil || parsed != any(s) {
			t.Errorf("%q is read as %v, %v", s, parsed, err)
		}
	}
	for _, f := range []lvs.Forward{lvs.NAT, lvs.DR, lvs.TUN} {
		got, err := lvs.ParseForward(f.String())
		check(f, got, err)
	}
	for _, p := range []lvs.Protocol{lvs.TCP, lvs.UDP, lvs.SCTP} {
		got, err := lvs.ParseProtocol(p.String())
		check(p, got, err)
	}
	for _, k := range keys() {
		var got lvs.Key
		err := got.UnmarshalText([]byte(k.String()))
		check(k, got, err)
	}
	for _, s := range lvs.Schedulers() {
		if got, err := lvs.ParseScheduler(s); err != nil || got != s {
			t.Errorf("scheduler %s is read as %s, %v", s, got, err)
		}
	}
}

func TestNamesThatAreNone(t *testing.T) {
	second := func(_ any, err error) error { return err }
	for _, tt := range []struct {
		err  error
		want string
	}{
		{second(lvs.ParseForward("nta")), `unknown forwarding method "nta": want nat, dr or tun`},
		{second(lvs.ParseProtocol("")), `unknown protocol "": want tcp, udp or sctp`},
		{second(lvs.ParseScheduler("wcl")), `unknown scheduler "wcl": want one of rr, wrr, lc, wlc, sed, nq, dh, sh, lblc, lblcr, mh, fo, ovf, twos`},
		{second(lvs.ParseSchedulerFlag("mh", "sh-port")), "sh-port is a flag of scheduler sh, not of mh"},
		{second(lvs.ParseSchedulerFlag("mh", "port")), `unknown scheduler flag "port": want one of sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got %v, want %s", tt.err, tt.want)
		}
	}
	for _, s := range []string{"", "fwmark", "fwmark 0", "fwmark x", "fwmark 1 ipv4", "fwmark 1 ipv6 x", "tcp", "icmp 10.0.0.1:80", "tcp 10.0.0.1", "tcp 10.0.0.1:80 x"} {
		var k lvs.Key
		if err := k.UnmarshalText([]byte(s)); err == nil {
			t.Errorf("key %q is read as %v", s, k)
		}
	}
}

func TestSchedulerFlags(t *testing.T) {
	for _, tt := range []struct {
		scheduler, name string
		want            lvs.Flags
	}{
		{"sh", "sh-fallback", 0x8}, {"sh", "sh-port", 0x10},
		{"mh", "mh-fallback", 0x8}, {"mh", "mh-port", 0x10},
		{"wlc", "flag-1", 0x8}, {"wlc", "flag-2", 0x10}, {"wlc", "flag-3", 0x20},
	} {
		got, err := lvs.ParseSchedulerFlag(tt.scheduler, tt.name)
		if err != nil || got != tt.want {
			t.Errorf("%s of %s is %#x, %v; want %#x", tt.name, tt.scheduler, got, err, tt.want)
		}
	}
}
