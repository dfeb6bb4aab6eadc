package conf

import (
	"slices"
	"time"
)

// Fast is how the BFD sessions between the directors are timed, by which a dead MASTER
// is replaced at once. There is one session with a director on an interface, for all
// virtual routers with fast = true on it.
type Fast struct {
	MinTx      time.Duration
	MinRx      time.Duration
	Multiplier uint8
}

func (f *Fast) visit(t *table) {
	field(t, "min_tx", &f.MinTx, duration(time.Millisecond, 10*time.Second), 10*time.Millisecond)
	field(t, "min_rx", &f.MinRx, duration(time.Millisecond, 10*time.Second), 10*time.Millisecond)
	field(t, "multiplier", &f.Multiplier, integer[uint8](2, 50), 3)
}

// Detection is how long a director whose settings are the same must be silent.
func (f *Fast) Detection() time.Duration {
	return time.Duration(f.Multiplier) * max(f.MinTx, f.MinRx)
}

// resolveFast refuses a virtual router whose session could never come up.
func (in *Instance) resolveFast(t *table) {
	if !in.Fast || !t.ok("fast", "peers", "unicast") {
		return
	}
	peers := slices.Clone(in.Peers)
	for i := range in.Also {
		peers = append(peers, in.Also[i].Peers...)
	}
	for _, p := range peers {
		if p.MaxTTL != 0 && p.MinTTL != 255 {
			t.failf("fast", "does not work with the peer %v, which may be behind a router (min_ttl): its BFD session is over a single hop", p.Address)
			return
		}
	}
}

// checkFast refuses groups of which some members wait for three adverts.
func (c *Config) checkFast(s sections) {
	fast := map[string]bool{}
	for i, t := range s.vrrp {
		if t.ok("fast") {
			fast[c.VRRP[i].Name] = c.VRRP[i].Fast
		}
	}
	for i, t := range s.groups {
		members := c.Groups[i].Members
		for _, member := range members {
			if is, ok := fast[member]; ok && is != fast[members[0]] && t.ok("members") {
				t.failf("members", "%q and %q must both have fast = true, or neither: the group takes over when its slowest member does", members[0], member)
				break
			}
		}
	}
}

// warnOfFast warns of timers by which fast gains nothing, or which a busy network
// cannot keep.
func (c *Config) warnOfFast(s sections) {
	for i, t := range s.vrrp {
		in := &c.VRRP[i]
		if dead := time.Duration(in.DownAfter) * in.Interval; in.Fast && c.Director.Fast.Detection() >= dead {
			t.warnf("fast", "gains nothing: adverts tell of a dead MASTER after %s, and [director.fast] after %s",
				formatDuration(dead), formatDuration(c.Director.Fast.Detection()))
		}
	}
}
