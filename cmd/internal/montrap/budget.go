package montrap

import (
	"net/netip"
	"time"
)

// What a second brings at most: traps, and hashes that are computed. More are dropped.
// One sender that floods takes from its own budget only, unless it forges the addresses of
// others; the budget of all together keeps that from the processor and the alerts.
const (
	maxTraps, maxTrapsOfAll   = 200, 2000
	maxHashes, maxHashesOfAll = 5, 40
	// maxAddresses is how many addresses have a budget in one second.
	maxAddresses = 4096
)

// A spending is what was used in a second.
type spending struct{ traps, hashes int }

// A meter keeps the budgets. It belongs to one goroutine.
type meter struct {
	second time.Time // that is counted in
	all    spending
	each   map[netip.Addr]*spending
}

// trap reports whether a trap from an address may be read.
func (m *meter) trap(from netip.Addr, now time.Time) bool {
	if m.each == nil || now.Sub(m.second) >= time.Second || now.Before(m.second) {
		*m = meter{second: now, each: map[netip.Addr]*spending{}}
	}
	s := m.each[from]
	if s == nil {
		if len(m.each) == maxAddresses {
			return false
		}
		s = &spending{}
		m.each[from] = s
	}
	if s.traps == maxTraps || m.all.traps == maxTrapsOfAll {
		return false
	}
	s.traps++
	m.all.traps++
	return true
}

// hash reports whether a hash may be computed for an address that trap has let in.
func (m *meter) hash(from netip.Addr) bool {
	s := m.each[from]
	if s.hashes == maxHashes || m.all.hashes == maxHashesOfAll {
		return false
	}
	s.hashes++
	m.all.hashes++
	return true
}
