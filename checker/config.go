package checker

import (
	"cmp"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"holdfast/checker/period"
	"holdfast/checker/probe"
)

// A Config is the check of one realserver.
type Config struct {
	// ID names the check. It is unique in a Set. The director uses "service/server",
	// and "service/server#NAME" where a server has several checks.
	ID string
	// Server names what the check is about. A server is up while all its checks are
	// well. The director uses "service/server". "": ID.
	Server string
	// Probe is what the check asks. Its type is the kind of check.
	Probe   probe.Settings
	Address netip.AddrPort // what the check connects to; the port is 0 if the kind uses none
	Dial    probe.Dial     // where the packets of the check come from

	Interval time.Duration // from one start to the next while the verdict is settled
	Timeout  time.Duration // of a whole attempt
	Rise     int           // consecutive successes that bring a down server up
	Fall     int           // consecutive failures that take an up server down
	// RetryInterval replaces Interval while the latest results contradict the verdict
	// but are fewer than Rise or Fall. 0: Interval.
	RetryInterval time.Duration
	// DownInterval replaces Interval while the verdict is down. 0: Interval.
	DownInterval time.Duration
	// InitiallyUp makes the server count as up before its first verdict, for instance
	// because the kernel's table has it already. Otherwise it counts as down. It has
	// an effect only when the ID is new to the Set.
	InitiallyUp bool

	// NegotiateEvery makes only every so many-th attempt ask the whole question. The
	// others only connect; after one that fails the next asks the whole question.
	// 0 or 1: every attempt asks it.
	NegotiateEvery int
	// Depends has lists of Servers of other Configs. While all of one list are down, the
	// check is not made, and its server waits: it counts as down, with Change.Waits. The caller sees
	// to it that no server depends on itself.
	Depends [][]string
	// Period says when the check is made, in the notation of package period. At other
	// times it keeps its verdict; without a verdict it is made all the same. "": always.
	Period string

	// Weight is the configured weight of the server. An answer that says something of
	// the weight replaces or changes it, within WeightMin and WeightMax.
	Weight               int
	WeightMin, WeightMax int
}

// Default returns a check with the default times and thresholds: every 2 s, 1 s
// to answer, up after 1 success and down after 2 failures.
func Default(s probe.Settings) Config {
	return Config{Probe: s, Interval: 2 * time.Second, Timeout: time.Second, Rise: 1, Fall: 2, WeightMax: probe.MaxWeight}
}

// MinInterval is the shortest Interval and RetryInterval of a Config. More frequent
// checks would load the server like an attack.
const MinInterval = 10 * time.Millisecond

// Validate returns every fault of c, joined; each is a *probe.FieldError.
func (c *Config) Validate() error { return c.validate(true) }

// validate is Validate, and without settings it takes those of Probe for valid.
func (c *Config) validate(settings bool) error {
	var errs probe.FieldErrors
	if c.ID == "" {
		errs.Addf("id", "must not be empty")
	}
	if c.Probe == nil {
		errs.Addf("type", "is missing")
		return errs.Join()
	}
	if settings {
		errs = append(errs, c.Probe.Validate()...)
	}
	if !c.asksNobody() {
		c.validateSchedule(&errs)
		target, needs := c.target(), c.Probe.Needs()
		if probe.ByName(c.Probe) && !target.Address.Addr().IsValid() {
			needs = probe.NeedsThisHost
		}
		errs = append(errs, target.Validate(needs)...)
	}
	return errs.Join()
}

func (c *Config) validateSchedule(errs *probe.FieldErrors) {
	if c.Interval < MinInterval {
		errs.Addf("interval", "must be at least %v, not %v", MinInterval, c.Interval)
	}
	switch r := c.RetryInterval; {
	case r == 0:
	case r < MinInterval:
		errs.Addf("retry_interval", "must be at least %v, or 0 for the interval, not %v", MinInterval, r)
	case r > c.Interval:
		errs.Addf("retry_interval", "must not be longer than the interval %v, not %v", c.Interval, r)
	}
	if d := c.DownInterval; d != 0 && d < MinInterval {
		errs.Addf("down_interval", "must be at least %v, or 0 for the interval, not %v", MinInterval, d)
	}
	if c.Rise < 1 {
		errs.Addf("rise", "must be at least 1, not %d", c.Rise)
	}
	if _, err := period.Parse(c.Period); err != nil {
		errs.Addf("period", "%v", err)
	}
	if c.NegotiateEvery > 1 && !probe.Connects(c.Probe) {
		errs.Addf("negotiate_every", "has no effect on a check without a TCP connection")
	}
	if c.Fall < 1 {
		errs.Addf("fall", "must be at least 1, not %d", c.Fall)
	}
	if c.WeightMin < 0 || c.WeightMax > probe.MaxWeight {
		errs.Addf("weight_max", "the bounds must be 0 to %d", probe.MaxWeight)
	}
	if c.WeightMin > c.WeightMax {
		errs.Addf("weight_min", "must not be larger than weight_max, which is %d", c.WeightMax)
	}
}

// asksNobody reports whether the check's kind sends nothing.
func (c *Config) asksNobody() bool { return c.Probe.Needs() == probe.NeedsNothing }

// isTold reports whether the check has no schedule: it is told of changes.
func (c *Config) isTold() bool { return c.Probe.Needs() == probe.NeedsReports }

// server returns what the check is about.
func (c *Config) server() string { return cmp.Or(c.Server, c.ID) }

func (c *Config) target() probe.Target {
	return probe.Target{Address: c.Address, Dial: c.Dial, Timeout: c.Timeout, Interval: c.Interval}
}

// clone returns a copy of its own, because a pointer into a list of Configs would keep the
// whole list.
func (c *Config) clone() *Config { own := *c; return &own }

// isSame reports whether c and d say the same.
func (c *Config) isSame(d *Config) bool {
	return c.ID == d.ID && c.Server == d.Server &&
		c.Rise == d.Rise && c.Fall == d.Fall && c.InitiallyUp == d.InitiallyUp &&
		c.Weight == d.Weight && c.WeightMin == d.WeightMin && c.WeightMax == d.WeightMax &&
		slices.EqualFunc(c.Depends, d.Depends, slices.Equal) && c.asksSame(d)
}

// asksSame reports whether c and d ask the same question of the same server at
// the same times, so that one attempt answers both. The others may differ, because
// each subject has a verdict of its own.
func (c *Config) asksSame(d *Config) bool {
	return c.Address == d.Address &&
		c.Dial == d.Dial &&
		c.Interval == d.Interval &&
		c.Timeout == d.Timeout &&
		c.RetryInterval == d.RetryInterval &&
		c.DownInterval == d.DownInterval &&
		c.NegotiateEvery == d.NegotiateEvery &&
		c.Period == d.Period &&
		reflect.DeepEqual(c.Probe, d.Probe)
}
