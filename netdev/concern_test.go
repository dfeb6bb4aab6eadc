package netdev

import (
	"testing"

	"holdfast/netdev/internal/testns"
)

// The loss of an address concerns the device on that interface alone, also after the
// device was made again.
func TestAddressConcerns(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	s := spec4()
	former := 0
	for range 2 {
		ensure(t, h, s)
		testns.Must(t, h.Claim(s.Name))
		index := h.devices[s.Name].index
		if index == former {
			t.Fatal("the device was not made again")
		}
		lost := Event{Kind: AddressChanged, Index: index, Prefix: s.Addresses[0].Prefix}
		if c := h.Concerns(lost); c != Damage {
			t.Errorf("a lost address is of concern %v", c)
		}
		for _, other := range []int{former, index + 1000} {
			lost.Index = other
			if c := h.Concerns(lost); c != Nothing {
				t.Errorf("an address that is lost elsewhere is of concern %v", c)
			}
		}
		former = index
		testns.Must(t, h.Remove(s.Name))
	}
}

// BenchmarkConcerns is what an address costs that somebody changes beside a thousand
// devices.
func BenchmarkConcerns(b *testing.B) {
	h := &Host{devices: map[string]*device{}}
	specs, _ := manySpecs(1000)
	for i, s := range specs {
		h.devices[s.Name] = &device{spec: s, index: 10 + i, state: Claimed}
	}
	for b.Loop() {
		h.Concerns(Event{Kind: AddressChanged, Index: 5})
	}
}
