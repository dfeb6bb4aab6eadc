package vrrp

import (
	"fmt"
	"net/netip"
	"time"
)

// populate makes the directors: one version, family and number of wires for
// all, the rest to each its own.
func (l *lan) populate() {
	cfg := Config{Family: IPv4, Version: 3, VRID: uint8(1 + l.rng.IntN(255))}
	switch {
	case l.chance(0.25):
		cfg.Version = 2
	case l.chance(0.3):
		cfg.Family = IPv6
	}
	cfg.Interval = l.anyInterval(cfg.Version)
	cfg.DownAfter = pick[uint8](l, 0, 0, 0, 2, 4, 5)
	cfg.Checksum = pick(l, ChecksumPseudo, ChecksumRFC9568)
	l.populateFast(&cfg)
	sameInterval := cfg.Version == 2 || l.chance(0.7)
	l.exact = l.chance(0.8)
	l.crossed = l.chance(0.3)
	owner := -1
	count := 2 + l.rng.IntN(6)
	if l.chance(0.1) {
		owner = l.rng.IntN(count)
	}
	ties := l.chance(0.3)
	for i := range count {
		c := cfg
		if !sameInterval {
			c.Interval = l.anyInterval(c.Version)
		}
		c.Priority = l.anyPriority(ties)
		if i == owner {
			c.Priority = PriorityOwner
		}
		c.Fast = c.Fast && (!l.mixed || l.chance(0.7))
		c.Preempt = l.chance(0.75)
		if c.Preempt && l.chance(0.2) {
			c.PreemptDelay = l.between(0, 20*c.Interval)
		}
		l.addDelays(&c)
		l.populateNode(i, c)
	}
	l.populatePaths()
}

// addDelays gives some directors delays.
func (l *lan) addDelays(c *Config) {
	if l.chance(0.1) {
		c.StartDelay = l.between(0, 20*c.Interval)
	}
	if l.chance(0.1) {
		c.LinkDelay = l.between(0, 20*c.Interval)
	}
	if l.chance(0.1) && c.Preempt && c.Priority != PriorityOwner {
		c.MinHold = l.between(0, 40*c.Interval)
	}
}

func (l *lan) populateNode(i int, c Config) {
	var cfgs []Config
	var sources []netip.Addr
	for wire := range l.wires {
		c := c
		c.Name = fmt.Sprintf("%c/%s", 'a'+i, l.wires[wire])
		c.VRID += uint8(wire)
		if c.VRID == 0 {
			c.VRID = 1
		}
		host := byte(1 + i)
		if wire == 1 && l.crossed {
			host = byte(100 - i)
		}
		source := netip.AddrFrom4([4]byte{10, byte(wire), 0, host})
		if c.Family == IPv6 {
			source = netip.AddrFrom16([16]byte{0xfe, 0x80, 14: byte(wire), 15: host})
		}
		c.Addresses = addresses(c.Family, 1+wire)
		cfgs = append(cfgs, c)
		sources = append(sources, source)
	}
	n := l.add(string(rune('a'+i)), cfgs, l.wires, sources)
	n.beat = l.chance(0.5)
	if l.exact {
		n.drift = l.rng.Int64N(401) - 200
	} else {
		n.drift = l.rng.Int64N(40_001) - 20_000
	}
}

func (l *lan) anyInterval(version uint8) time.Duration {
	if version == 2 {
		return pick(l, time.Second, time.Second, 2*time.Second, 5*time.Second)
	}
	if l.chance(0.1) {
		return pick(l, MinIntervalV3, 3*time.Second, 10*time.Second, MaxIntervalV3)
	}
	return pick(l, 100*time.Millisecond, 250*time.Millisecond, time.Second, time.Second)
}

func (l *lan) anyPriority(ties bool) uint8 {
	if ties {
		return pick[uint8](l, 100, 150)
	}
	return uint8(1 + l.rng.IntN(254))
}

// longest returns the longest interval and the longest sum of delays on the LAN.
func (l *lan) longest() (interval, delay time.Duration) {
	for _, n := range l.nodes {
		interval = max(interval, n.cfgs[0].Interval)
		c := &n.cfgs[0]
		delay = max(delay, max(c.StartDelay, c.LinkDelay)+c.PreemptDelay+c.MinHold)
	}
	return
}
