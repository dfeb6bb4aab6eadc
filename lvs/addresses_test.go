package lvs_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

func TestParseAddresses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"10.0.0.1:80", "10.0.0.1:80"},
		{"10.0.0.1:0", "10.0.0.1:0"},
		{"10.0.0.1:443,80", "10.0.0.1:443 10.0.0.1:80"},
		{"10.0.0.1:8000-8002,80", "10.0.0.1:8000 10.0.0.1:8001 10.0.0.1:8002 10.0.0.1:80"},
		{"10.0.0.255-10.0.1.0:80,81", "10.0.0.255:80 10.0.0.255:81 10.0.1.0:80 10.0.1.0:81"},
		{"10.0.0.1-10.0.0.1:80", "10.0.0.1:80"},
		{"[2001:db8::1]:80", "[2001:db8::1]:80"},
		{"[2001:db8::ffff]-[2001:db8::1:0]:53", "[2001:db8::ffff]:53 [2001:db8::1:0]:53"},
		{"255.255.255.255:65534-65535", "255.255.255.255:65534 255.255.255.255:65535"},
	}
	for _, tt := range tests {
		got, err := lvs.ParseAddresses(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
		}
		if got := texts(got); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func texts(list []netip.AddrPort) string {
	var all []string
	for _, a := range list {
		all = append(all, a.String())
	}
	return strings.Join(all, " ")
}

func TestParseAddressesRefuses(t *testing.T) {
	tests := []struct{ text, want string }{
		{"10.0.0.1", `"10.0.0.1" has no port`},
		{"[2001:db8::1]", `"[2001:db8::1]" has no port`},
		{"2001:db8::1:80", `"2001:db8::1" is not an IPv4 address, nor an IPv6 address in brackets`},
		{"[10.0.0.1]:80", `"[10.0.0.1]" is not an IPv4 address, nor an IPv6 address in brackets`},
		{"[fe80::1%eth0]:80", `"[fe80::1%eth0]" must not have a zone, nor the form of an IPv4-mapped address`},
		{"[::ffff:10.0.0.1]:80", `"[::ffff:10.0.0.1]" must not have a zone, nor the form of an IPv4-mapped address`},
		{"10.0.0.2-10.0.0.1:80", "10.0.0.1 does not come after 10.0.0.2"},
		{"10.0.0.2-[2001:db8::1]:80", "2001:db8::1 does not come after 10.0.0.2"},
		{"10.0.0.1:", `"" is not a port number`},
		{"10.0.0.1:80,", `"" is not a port number`},
		{"10.0.0.1:65536", `"65536" is not a port number`},
		{"10.0.0.1:81-80", `"81-80" is not a range of ports, like 8000-8010`},
		{"10.0.0.1:0-80", `"0-80" is not a range of ports, like 8000-8010`},
		{"10.0.0.1:1-65535", `"1-65535" means more than 16384 ports: use port 0 or a firewall mark for them`},
		{"[::]-[ffff::]:80", `"[::]-[ffff::]:80" means more than 16384 addresses and ports: use a firewall mark for them`},
	}
	for _, tt := range tests {
		if _, err := lvs.ParseAddresses(tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %s", tt.text, err, tt.want)
		}
	}
}

// Whatever FormatAddresses writes means the same list in the same order.
func TestFormatAddressesRoundTrip(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	shortened := 0
	for range 500 {
		var list []netip.AddrPort
		for range 1 + g.IntN(5) {
			first := netip.AddrFrom4([4]byte{10, 0, 0, byte(g.IntN(4))})
			if g.IntN(2) == 0 {
				first = netip.MustParseAddr("2001:db8::fffe")
			}
			ports := []uint16{uint16(g.IntN(4)), uint16(g.IntN(4)), 2, 3}[:1+g.IntN(4)]
			for range 1 + g.IntN(4) {
				for _, p := range ports {
					list = append(list, netip.AddrPortFrom(first, p))
				}
				first = first.Next()
			}
		}
		written := lvs.FormatAddresses(list)
		var again []netip.AddrPort
		for _, text := range written {
			part, err := lvs.ParseAddresses(text)
			if err != nil {
				t.Fatalf("%v: %v", written, err)
			}
			again = append(again, part...)
		}
		if !slices.Equal(list, again) {
			t.Fatalf("%v became %v, which means %v", texts(list), written, texts(again))
		}
		if len(written) < len(list) {
			shortened++
		}
	}
	if shortened < 100 {
		t.Errorf("only %d of 500 lists became shorter", shortened)
	}
}

func TestFormatAddresses(t *testing.T) {
	list, err := lvs.ParseAddresses("10.0.0.1-10.0.0.3:443,8000-8002,80")
	if err != nil {
		t.Fatal(err)
	}
	list = append(list, ap("10.0.0.4:80"), ap("10.0.0.5:80"), ap("[2001:db8::1]:80"), ap("[2001:db8::1]:81"))
	want := []string{"10.0.0.1-10.0.0.3:443,8000-8002,80", "10.0.0.4:80", "10.0.0.5:80", "[2001:db8::1]:80,81"}
	if diff := cmp.Diff(want, lvs.FormatAddresses(list)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
