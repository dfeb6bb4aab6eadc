package conf

import (
	"net/netip"
	"time"

	"holdfast/checker"
	"holdfast/checker/period"
	"holdfast/checker/probe"
)

// visitTarget visits what a check connects to, and from where.
func (c *Check) visitTarget(t *table, inherited Check, needs probe.Needs) {
	if t.reading() || needs.HasAddress() {
		field(t, "address", &c.Address, orEmpty(peerAddress), inherited.Address)
	}
	if t.reading() || needs.HasAddress() && needs != probe.NeedsServer { // a program connects as it likes
		field(t, "source", &c.Dial.Source, orEmpty(peerAddress), inherited.Dial.Source)
		field(t, "device", &c.Dial.Device, orEmpty(interfaceName), inherited.Dial.Device)
		field(t, "mark", &c.Dial.Mark, integer[uint32](0, 1<<32-1), inherited.Dial.Mark)
	}
}

// visitTiming visits when a check is made, and what its results mean.
func (c *Check) visitTiming(t *table, inherited Check, needs probe.Needs) {
	if !t.reading() && needs < probe.NeedsThisHost {
		return
	}
	field(t, "interval", &c.Interval, duration(checker.MinInterval, 24*time.Hour), inherited.Interval)
	field(t, "timeout", &c.Timeout, duration(time.Millisecond, time.Hour), inherited.Timeout)
	field(t, "down_interval", &c.DownInterval, duration(0, 24*time.Hour), inherited.DownInterval)
	if t.reading() || needs.HasAddress() {
		field(t, "retry_interval", &c.RetryInterval, duration(0, 24*time.Hour), inherited.RetryInterval)
		field(t, "rise", &c.Rise, integer[int](1, 1000), inherited.Rise)
		field(t, "fall", &c.Fall, integer[int](1, 1000), inherited.Fall)
	}
	field(t, "weight_min", &c.WeightMin, integer[int](0, probe.MaxWeight), inherited.WeightMin)
	field(t, "weight_max", &c.WeightMax, integer[int](0, probe.MaxWeight), inherited.WeightMax)
	field(t, "depends", &c.Depends, written(conditionsOf(text)), inherited.Depends)
	field(t, "period", &c.Period, periodText, inherited.Period)
}

// The keys of visitTarget and visitTiming.
var (
	targetKeys = []string{"address", "source", "device", "mark"}
	timingKeys = []string{"interval", "timeout", "down_interval", "retry_interval", "rise", "fall", "weight_min", "weight_max", "depends", "period"}
)

// meaningless returns those of these keys that a kind has no use for.
func meaningless(needs probe.Needs) []string {
	switch needs {
	case probe.NeedsNothing, probe.NeedsReports:
		return append(targetKeys[:4:4], timingKeys...)
	case probe.NeedsThisHost: // what this host knows is certain at once
		return append(targetKeys[:4:4], "retry_interval", "rise", "fall")
	case probe.NeedsServer: // a program connects as it likes
		return targetKeys[1:]
	}
	return nil
}

// orEmpty makes a codec that has "" for the zero value, so that a server can undo what
// it inherits.
func orEmpty[T comparable](c codec[T]) codec[T] {
	var zero T
	return codec[T]{
		decode: func(v value, fail func(value, string)) (T, bool) {
			if v.data == any("") {
				return zero, true
			}
			return c.decode(v, fail)
		},
		encode: func(x T) any {
			if x == zero {
				return ""
			}
			return c.encode(x)
		},
	}
}

// periodText is a period in the notation of mon.
var periodText = textual("a period", func(s string) (string, error) {
	_, err := period.Parse(s)
	return s, err
}, func(s string) string { return s })

// address returns what the check connects to. It has no port if the kind of
// check uses none, so that services on different ports share such a check.
func (c *Check) address(server netip.AddrPort) netip.AddrPort {
	to := server.Addr()
	if c.Address.IsValid() {
		to = c.Address
	}
	switch {
	case !c.Probe.Needs().HasAddress():
		return netip.AddrPort{}
	case !c.Probe.Needs().HasPort():
		return netip.AddrPortFrom(to, 0)
	case c.Port != 0:
		return netip.AddrPortFrom(to, c.Port)
	}
	return netip.AddrPortFrom(to, server.Port())
}
