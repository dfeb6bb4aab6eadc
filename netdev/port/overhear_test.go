package port

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
)

// overheard is a source of adverts as Overhear tells of it.
type overheard struct {
	source string
	mac    frame.MAC
}

// Adverts of the virtual router alone are heard, from whatever MAC address they
// come, also behind an authentication header, and none of ours.
func TestOverhear(t *testing.T) {
	p := testns.NewPair(t)
	their := testns.NewTap(p.Neighbour, "net0")
	ours := testns.NewTap(p.Director, "eth0")
	virtual := frame.MAC{0, 0, 0x5e, 0, 1, 51}
	advertOf := func(mac frame.MAC, source string, vrid byte, ah bool) []byte {
		return overheardAdvert(t, mac, source, vrid, ah)
	}
	for _, tt := range []struct {
		ipv6   bool
		frames [][]byte
		want   []overheard
	}{
		{false, [][]byte{
			advertOf(virtual, "10.0.0.9", 52, false),
			advertOf(virtual, "10.0.0.9", 51, false),
			advertOf(frame.MAC{2, 0, 0, 0, 0, 9}, "10.0.0.8", 51, true),
		}, []overheard{{"10.0.0.9", virtual}, {"10.0.0.8", frame.MAC{2, 0, 0, 0, 0, 9}}}},
		{true, [][]byte{
			advertOf(virtual, "10.0.0.9", 51, false),
			advertOf(virtual, "fe80::9", 52, false),
			advertOf(frame.MAC{0, 0, 0x5e, 0, 2, 51}, "fe80::9", 51, false),
		}, []overheard{{"fe80::9", frame.MAC{0, 0, 0x5e, 0, 2, 51}}}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		var sender sync.WaitGroup
		p.Neighbour.Enter()
		began, done := make(chan struct{}), make(chan struct{})
		sender.Go(func() { // until all is heard: the socket is not there at once
			close(began)
			for {
				ours.Send(advertOf(virtual, "10.0.0.1", 51, false))
				ours.Send(advertOf(virtual, "fe80::1", 51, false))
				for _, f := range tt.frames {
					their.Send(f)
				}
				select {
				case <-done:
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
		})
		<-began
		p.Director.Enter()
		var got []overheard
		ifi, err := net.InterfaceByName("eth0")
		testns.Must(t, err)
		err = Overhear(ctx, "eth0", ifi.Index, tt.ipv6, 51, func(source netip.Addr, mac frame.MAC) {
			got = append(got, overheard{source.String(), mac})
			if len(got) == 4*len(tt.want) {
				cancel()
			}
		})
		close(done)
		sender.Wait()
		testns.Must(t, err)
		if len(got) < 4*len(tt.want) {
			t.Fatalf("IPv6 %v: heard only %v", tt.ipv6, got)
		}
		// The first may come from the middle of a round.
		seen, want := map[overheard]bool{}, map[overheard]bool{}
		for _, o := range got {
			seen[o] = true
		}
		for _, o := range tt.want {
			want[o] = true
		}
		if diff := cmp.Diff(want, seen, cmp.AllowUnexported(overheard{})); diff != "" {
			t.Errorf("IPv6 %v: heard (-want +got):\n%s", tt.ipv6, diff)
		}
	}
}

func TestOverhearMissingInterface(t *testing.T) {
	testns.New(t, "alone")
	if err := Overhear(t.Context(), "none", 9999, false, 51, nil); err == nil {
		t.Error("no error")
	}
}

// overheardAdvert is a frame with an advert.
func overheardAdvert(t *testing.T, mac frame.MAC, source string, vrid byte, ah bool) []byte {
	t.Helper()
	from := netip.MustParseAddr(source)
	group := group4
	if from.Is6() {
		group = group6
	}
	f, err := frame.NewAdvert(mac, from, group)
	testns.Must(t, err)
	b := append([]byte(nil), f.Wrap(make([]byte, 40))...)
	body := b[frame.EthernetLen+frame.IPv4Len:]
	if from.Is6() {
		body = b[frame.EthernetLen+frame.IPv6Len:]
	}
	if ah {
		b[frame.EthernetLen+9] = frame.ProtocolAH
		body[0], body[1] = frame.ProtocolVRRP, 4 // 24 bytes
		body = body[24:]
	}
	body[0], body[1] = 0x31, vrid
	return b
}

// The kernel passes the adverts of the one virtual router alone, and all behind an
// authentication header.
func TestAdvertFilter(t *testing.T) {
	virtual := frame.MAC{0, 0, 0x5e, 0, 1, 51}
	four, six := "10.0.0.9", "fe80::9"
	longer := overheardAdvert(t, virtual, four, 51, false)
	options := append([]byte{0x46}, longer[frame.EthernetLen+1:frame.EthernetLen+frame.IPv4Len]...)
	longer = slices.Concat(longer[:frame.EthernetLen], options, make([]byte, 4), longer[frame.EthernetLen+frame.IPv4Len:])
	udp := overheardAdvert(t, virtual, four, 51, false)
	udp[frame.EthernetLen+9] = 17
	for _, tt := range []struct {
		what   string
		frame  []byte
		ipv6   bool
		passes bool
	}{
		{"IPv4", overheardAdvert(t, virtual, four, 51, false), false, true},
		{"IPv4 with options", longer, false, true},
		{"another VRID over IPv4", overheardAdvert(t, virtual, four, 52, false), false, false},
		{"AH", overheardAdvert(t, virtual, four, 51, true), false, true},
		{"UDP", udp, false, false},
		{"IPv6", overheardAdvert(t, virtual, six, 51, false), true, true},
		{"another VRID over IPv6", overheardAdvert(t, virtual, six, 52, false), true, false},
	} {
		program, ok := bpf.Disassemble(advertFilter(tt.ipv6, 51).Filter)
		if !ok {
			t.Fatal("the filter cannot be disassembled")
		}
		vm, err := bpf.NewVM(program)
		testns.Must(t, err)
		n, err := vm.Run(tt.frame)
		testns.Must(t, err)
		if (n > 0) != tt.passes {
			t.Errorf("%s passes: %v", tt.what, n > 0)
		}
	}
}
