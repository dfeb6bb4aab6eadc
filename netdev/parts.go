package netdev

import (
	"errors"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// firstPart is how many requests the first part of a claim has: the kernel does
// them in 2 ms, most of which is a device that comes up. Each part is then four
// times as large as the one before it.
const firstPart = 16

// A Part is how many addresses of a device that is claimed are up, from the first.
type Part struct {
	Device    string
	Addresses int
}

// ClaimInParts is Claim for addresses that nobody serves: up hears of the first of
// many as soon as packets for them are the director's own, and again when there
// are more. It is not called for a few, nor for a device that something is wrong
// with, and must not call the Host.
//
// Devices come up before their IPv6 addresses are on: what that draws here too
// early (see settleIn) nobody else would have got.
func (h *Host) ClaimInParts(up func([]Part), names ...string) error { return h.claim(names, up) }

// few reports whether a claim of devices is not worth taking apart.
func (h *Host) few(names []string) bool {
	n := len(names)
	for _, name := range names {
		if d := h.devices[name]; d != nil {
			n += len(d.spec.Addresses)
		}
	}
	return n <= firstPart
}

func (h *Host) inParts(up func([]Part)) carrier {
	return func(requests []*nl.NetlinkRequest, of []*device) []error {
		var failed []error
		t := tally{local: h.waitLocal(localUnserved), have: map[*device]int{}, wrong: map[*device]bool{}}
		for at, size := 0, firstPart; at < len(requests); size = min(4*size, rtnl.Batch) {
			next := min(at+size, len(requests))
			errs := h.conn.Do(requests[at:next])
			if errs != nil {
				failed = slices.Grow(failed, len(requests))[:len(requests)]
				copy(failed[at:], errs)
			}
			if parts := t.count(requests[at:next], of[at:next], errs); len(parts) > 0 {
				up(parts)
			}
			at = next
		}
		return failed
	}
}

// A tally counts the addresses that are up.
type tally struct {
	local *localWait
	have  map[*device]int
	wrong map[*device]bool
}

// count adds what became of some requests, and returns how far the devices are
// that have more than before.
func (t *tally) count(requests []*nl.NetlinkRequest, of []*device, errs []error) []Part {
	var more []*device
	before := map[*device]int{}
	for i, d := range of {
		if errs != nil && errs[i] != nil && !errors.Is(errs[i], unix.EEXIST) {
			t.wrong[d] = true
		}
		if t.wrong[d] || requests[i].Type != unix.RTM_NEWADDR {
			continue
		}
		if len(more) == 0 || more[len(more)-1] != d {
			more = append(more, d)
			before[d] = t.have[d]
		}
		t.have[d]++
	}
	var parts []Part
	for _, d := range more {
		t.local.becomeLocal(d, d.spec.Addresses[before[d]:t.have[d]])
		parts = append(parts, Part{d.spec.Name, t.have[d]})
	}
	return parts
}
