package netdev

import (
	"errors"
	"io/fs"
	"testing"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/rtnl"
	"holdfast/netdev/sysctl"
)

// TestDevconfAgreesWithProc: every place in the kernel's arrays is the setting
// that we take it for. Each is given another value than it had, through /proc,
// and read from a link message.
func TestDevconfAgreesWithProc(t *testing.T) {
	n := testns.New(t, "settings")
	n.Run(`
		ip link add name q type veth peer name r
		ip link add name p link q type macvlan`)
	c, err := rtnl.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for family, places := range map[string]map[string]int{"ipv4": places4, "ipv6": places6} {
		for name := range places {
			key := sysctl.Key(family, "p", name)
			was, err := sysctl.Read(key)
			if errors.Is(err, fs.ErrNotExist) {
				continue // an older kernel
			}
			if err != nil {
				t.Fatal(err)
			}
			value := "1"
			if was == "1" {
				value = "0"
			}
			if name == "mldv2_unsolicited_report_interval" {
				value = "200" // in ms, but kept in ticks
			}
			if err := sysctl.Write(key, value); err != nil {
				t.Fatal(err)
			}
			o, err := observe(c, needs{}, dumpTimeout)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := o.byName["p"].conf.get(family, name); !ok || got != value {
				t.Errorf("%s %s: the message says %q (%v), /proc says %q", family, name, got, ok, value)
			}
			if err := sysctl.Write(key, was); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, ok := parseDevconf(nil).get("ipv4", "rp_filter"); ok {
		t.Error("an empty message tells a setting")
	}
}
