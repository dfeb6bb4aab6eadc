package netdev

import (
	"errors"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// firstPart is the number of requests in the first part of a claim. The kernel needs
// 2 ms for them, most of it to bring a device up. Each further part is four times as
// large as the one before.
const firstPart = 16

// A Part says how many addresses of a claimed device are up, counted from the first.
type Part struct {
	Device    string
	Addresses int
}

// ClaimInParts is Claim for addresses that no director serves. It calls up as soon
// as the host takes packets for the first of many addresses, and again when there
// are more. It does not call up for a few addresses, nor for a device with an error.
// up must not call the Host.
//
// Here devices come up before their IPv6 addresses are there (see settleIn): nobody
// else would have received the packets that come too early.
func (h *Host) ClaimInParts(up func([]Part), names ...string) error { return h.claim(names, up) }

// few reports whether a claim is too small to be split into parts.
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

// count adds the results of some requests, and returns the devices that have more
// addresses than before.
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
