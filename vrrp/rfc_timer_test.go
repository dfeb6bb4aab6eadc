package vrrp

import (
	"testing"
	"time"
)

// The sentences of §6.1, parameters and timers.

// "Skew_Time: Time to skew Master_Down_Interval in seconds. Calculated as:
// ((256 - Priority) / 256)." Reference: RFC 3768 §6.1.
func TestSkewTimeV2(t *testing.T) {
	for _, test := range []struct {
		priority uint8
		want     time.Duration
	}{{1, 996093750}, {100, 609375000}, {128, 500 * time.Millisecond}, {254, 7812500}, {255, 3906250}} {
		// It does not depend on the interval.
		for _, interval := range []time.Duration{time.Second, 10 * time.Second, MaxIntervalV2} {
			if got := skewTime(2, test.priority, interval); got != test.want {
				t.Errorf("priority %d, interval %v: %v, want %v", test.priority, interval, got, test.want)
			}
		}
	}
}

// "Skew_Time: Time to skew Active_Down_Interval in centiseconds. Calculated as:
// (((256 - Priority) * Active_Adver_Interval) / 256)." Reference: RFC 9568 §6.1.
func TestSkewTimeV3(t *testing.T) {
	for _, test := range []struct {
		priority uint8
		interval time.Duration
		want     time.Duration
	}{
		{100, time.Second, 609375000},
		{100, 100 * time.Millisecond, 60937500},
		{254, MinIntervalV3, 78125},
		{1, MaxIntervalV3, 40790039062},
	} {
		if got := skewTime(3, test.priority, test.interval); got != test.want {
			t.Errorf("priority %d, interval %v: %v, want %v", test.priority, test.interval, got, test.want)
		}
	}
}

// "Master_Down_Interval: Time interval for Backup to declare Master down.
// Calculated as: (3 * Advertisement_Interval) + Skew_time."
// Reference: RFC 3768 §6.1, RFC 9568 §6.1.
func TestMasterDownInterval(t *testing.T) {
	for _, test := range []struct {
		version  uint8
		interval time.Duration
		want     time.Duration
	}{
		{2, time.Second, down100},
		{2, 10 * time.Second, 30*time.Second + skew100},
		{3, time.Second, down100},
		{3, 10 * time.Second, 36093750 * time.Microsecond},
		{3, MinIntervalV3, 36093750},
	} {
		if got := downInterval(test.version, 100, test.interval); got != test.want {
			t.Errorf("v%d, interval %v: %v, want %v", test.version, test.interval, got, test.want)
		}
	}
}

// "Preempt_Mode: Controls whether a (starting or restarting) higher-priority
// Backup Router preempts a lower-priority Master Router." True: it does.
// Reference: RFC 3768 §6.1, RFC 9568 §6.1.
func TestPreemptMode(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, nil)
		r.backup()
		for range 3 {
			r.now += time.Second
			r.want("lower priority", r.receive(90, lowAddr))
		}
		r.want("master-down timer", r.elapse(down100), "claim", "send priority=100", "announce", "BACKUP -> MASTER")
	})
}

// "... False prohibits preemption." Reference: RFC 3768 §6.1, RFC 9568 §6.1.
func TestPreemptModeFalse(t *testing.T) {
	both(t, func(t *testing.T, version uint8) {
		r := newRig(t, version, func(c *Config) { c.Preempt = false })
		r.backup()
		for range 10 {
			r.now += time.Second
			r.want("lower priority", r.receive(90, lowAddr))
		}
		r.wantDeadline(10*time.Second + down100)
		r.wantState(Backup, false)
	})
}

// "Note: Exception is that the router that owns the IPvX address associated
// with the virtual router always preempts, independent of the setting of this
// flag." Reference: RFC 3768 §6.1, RFC 9568 §6.1.
func TestPreemptModeOwner(t *testing.T) {
	r := newRig(t, 3, func(c *Config) { c.Preempt, c.Priority = false, 255 })
	r.event(Start{})
	r.wantState(Master, true)
	// As MASTER that slept and was replaced it is BACKUP, and listens to nobody.
	r.now += 10 * time.Second
	r.event(Elapsed{})
	r.wantState(Backup, true)
	woke := r.now
	r.receive(254, lowAddr)
	r.want("linger", r.elapse(woke+time.Second+linger), "release")
	r.receive(254, lowAddr)
	r.now = woke + downInterval(3, 255, time.Second)
	r.want("timer", r.event(Elapsed{}), "claim", "send priority=255", "announce", "BACKUP -> MASTER")
}
