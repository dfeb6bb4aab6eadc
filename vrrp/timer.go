package vrrp

import "time"

// skewTime is the part of the master-down interval that depends on the
// priority, so that higher priorities time out first. It is
// (256-priority)/256 of a second in version 2 (RFC 3768 §6.1) and of the
// MASTER's interval in version 3 (RFC 9568 §6.1).
func skewTime(version, priority uint8, masterInterval time.Duration) time.Duration {
	unit := masterInterval
	if version == 2 {
		unit = time.Second
	}
	return time.Duration(256-int(priority)) * unit / 256
}

// downInterval is how long a BACKUP waits for an advert before it takes over:
// three of the MASTER's intervals and the skew time (RFC 9568 §6.1,
// Active_Down_Interval).
func downInterval(version, priority uint8, masterInterval time.Duration) time.Duration {
	return 3*masterInterval + skewTime(version, priority, masterInterval)
}

// masterDown is downInterval with DownAfter intervals instead of three.
func (c *Config) masterDown(priority uint8, masterInterval time.Duration) time.Duration {
	return downInterval(c.Version, priority, masterInterval) + time.Duration(c.downAfter()-3)*masterInterval
}

// downAfter returns how many adverts in a row must be missing.
func (c *Config) downAfter() int {
	if c.DownAfter == 0 {
		return 3
	}
	return int(c.DownAfter)
}

// missed returns how long a MASTER that advertises at an interval must be
// silent to count as dead, plus more intervals.
func (c *Config) missed(interval time.Duration, more int) time.Duration {
	return time.Duration(c.downAfter()+more) * interval
}

// earliest returns the earlier of two times; the zero time is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}

// due reports whether t is set and not after now.
func due(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }
