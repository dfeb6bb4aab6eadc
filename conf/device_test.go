package conf

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/vrrp"
)

func TestNameDevices(t *testing.T) {
	make1 := func(parent string, family vrrp.Family, vrid uint8) Instance {
		return Instance{Config: vrrp.Config{Family: family, VRID: vrid}, Interface: parent}
	}
	named := make1("eth2", vrrp.IPv4, 51)
	named.Device = "wan"
	bare := make1("eth3", vrrp.IPv4, 51)
	bare.MAC.Mode = MACInterface
	tests := []struct {
		name string
		in   []Instance
		want string
	}{
		{"families differ", []Instance{make1("eth0", vrrp.IPv4, 51), make1("eth0", vrrp.IPv6, 51)}, "vrrp4-51 vrrp6-51"},
		{"one VRID on two interfaces", []Instance{make1("eth0", vrrp.IPv4, 51), make1("eth1", vrrp.IPv4, 51)}, "vrrp4-51 vrrp4-51-eth1"},
		{"the order of the file decides", []Instance{make1("eth1", vrrp.IPv4, 51), make1("eth0", vrrp.IPv4, 51)}, "vrrp4-51 vrrp4-51-eth0"},
		{"a name that is given takes none", []Instance{named, make1("eth0", vrrp.IPv4, 51)}, "wan vrrp4-51"},
		{"no device", []Instance{bare, make1("eth0", vrrp.IPv4, 51)}, " vrrp4-51"},
		{"just fits", []Instance{make1("eth0", vrrp.IPv4, 255), make1("eth10", vrrp.IPv4, 255)}, "vrrp4-255 vrrp4-255-eth10"},
		{"too long", []Instance{make1("eth0", vrrp.IPv4, 255), make1("eth100", vrrp.IPv4, 255)}, "vrrp4-255 vrrp4-255-2cbb7"},
		{"a dot", []Instance{make1("eth0", vrrp.IPv4, 5), make1("e0.5", vrrp.IPv4, 5)}, "vrrp4-5 vrrp4-5-f1ad8d5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			nameDevices(tt.in)
			var got []string
			for _, in := range tt.in {
				got = append(got, in.Device)
				if len(in.Device) > maxInterfaceName || strings.Contains(in.Device, ".") {
					t.Errorf("%q is no name for a device", in.Device)
				}
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The device on an extra interface has the name of that interface in its name. If
// another device has this name, a hash with the name of the instance replaces it.
func TestNamePlaces(t *testing.T) {
	a := Instance{Config: vrrp.Config{Name: "a", Family: vrrp.IPv4, VRID: 51}, Interface: "eth0", Extra: []ExtraInterface{{Interface: "eth2"}, {Interface: "e0.5"}}}
	b := Instance{Config: vrrp.Config{Name: "b", Family: vrrp.IPv4, VRID: 51}, Interface: "eth1", Extra: []ExtraInterface{{Interface: "eth2"}}}
	c := Instance{Config: vrrp.Config{Name: "c", Family: vrrp.IPv4, VRID: 51}, Interface: "eth3", Extra: []ExtraInterface{{Interface: "eth2"}}}
	c.MAC.Mode = MACInterface
	all := []Instance{a, b, c}
	nameDevices(all)
	var got []string
	for _, in := range all {
		for _, p := range in.Extra {
			got = append(got, p.Device)
			if len(p.Device) > maxInterfaceName || strings.ContainsAny(p.Device, "./") {
				t.Errorf("%q is no name for a device", p.Device)
			}
		}
	}
	if diff := cmp.Diff("vrrp4-51-eth2 vrrp4-51-f1ad8d vrrp4-51-ea13b4 ", strings.Join(got, " ")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The address must never change between releases: directors of two releases
// run side by side during an upgrade.
func TestPrivateMAC(t *testing.T) {
	tests := []struct {
		family vrrp.Family
		vrid   uint8
		name   string
		want   string
	}{
		{vrrp.IPv4, 51, "outside", "02:1c:cd:83:04:33"},
		{vrrp.IPv6, 51, "outside", "02:15:a7:51:06:33"},
		{vrrp.IPv4, 52, "outside", "02:b1:3f:0f:04:34"},
		{vrrp.IPv4, 51, "inside", "02:38:c0:b0:04:33"},
	}
	seen := make(map[[6]byte]bool)
	for _, tt := range tests {
		mac := PrivateMAC(tt.family, tt.vrid, tt.name)
		if got := (MAC{MACExplicit, mac}).String(); got != tt.want {
			t.Errorf("%v %d %s: got %s, want %s", tt.family, tt.vrid, tt.name, got, tt.want)
		}
		if seen[mac] || mac[0]&3 != 2 || mac[5] != tt.vrid {
			t.Errorf("%v %d %s: %x is taken, not local, or without the VRID", tt.family, tt.vrid, tt.name, mac)
		}
		seen[mac] = true
	}
}

func TestInstanceMAC(t *testing.T) {
	tests := []struct{ mac, want, device string }{
		{`"vrrp"`, "00:00:5e:00:01:07", "vrrp4-7"},
		{`"02:AB:cd:00:00:01"`, "02:ab:cd:00:00:01", "vrrp4-7"},
		{`"interface"`, "00:00:00:00:00:00", ""},
	}
	for _, tt := range tests {
		c, err := Parse("a.toml", []byte(instance("a", "7")+"mac = "+tt.mac+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		in := c.VRRP[0]
		if got := (MAC{MACExplicit, in.MAC.Address}).String(); got != tt.want || in.Device != tt.device {
			t.Errorf("mac = %s: got %s on %q, want %s on %q", tt.mac, got, in.Device, tt.want, tt.device)
		}
	}
}
