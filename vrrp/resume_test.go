package vrrp

import (
	"testing"
	"time"
)

// resumed is a rig that goes on as a MASTER that was silent for so long.
func resumed(t *testing.T, silent time.Duration) *rig {
	was := newRig(t, 3, nil)
	was.master()
	r := newRig(t, 3, nil)
	r.now = was.now + silent
	r.want("resuming", r.event(was.g.Member(0).Resume()))
	return r
}

// A MASTER that goes on keeps its time: nothing is sent before it is due.
func TestResumeKeepsTime(t *testing.T) {
	r := resumed(t, 300*time.Millisecond)
	last := r.now - 300*time.Millisecond
	r.want("the next advert", r.elapse(last+time.Second), "send priority=100")
	r.elapse(last + 2*time.Second)
	r.wantState(Master, true)
}

// One that was silent for longer than an interval, but not for longer than others
// wait, speaks as soon as it has heard what came meanwhile.
func TestResumeLate(t *testing.T) {
	r := resumed(t, 2500*time.Millisecond)
	if due := r.g.Deadline().Sub(epoch); due > r.now {
		t.Errorf("the next advert is due in %v, not at once", due-r.now)
	}
	r.want("the next advert", r.event(Elapsed{}), "send priority=100")
	r.wantState(Master, true)
}

// One that was silent for longer than others wait says nothing, whether or not it
// hears of a successor first.
func TestResumeTooLate(t *testing.T) {
	silent := 5 * time.Second
	r := resumed(t, silent)
	r.want("overslept", r.event(Elapsed{}), "mute", "MASTER -> BACKUP")
	r.wantState(Backup, true)

	r = resumed(t, silent)
	r.want("a successor of lower priority", r.receive(50, lowAddr), "mute", "MASTER -> BACKUP")

	r = resumed(t, 3500*time.Millisecond)
	r.want("a quick successor", r.receive(50, lowAddr), "mute", "MASTER -> BACKUP")
}

// The interval that the others wait by counts, not the configured one.
func TestResumePromised(t *testing.T) {
	was := newRig(t, 3, nil)
	was.master()
	r := newRig(t, 3, func(c *Config) { c.Interval = 100 * time.Millisecond })
	r.now = was.now + 900*time.Millisecond
	r.event(was.g.Member(0).Resume())
	r.want("an advert of the new interval", r.event(Elapsed{}), "send priority=100")
}

// A reminder is an advert before its time, of a MASTER alone. The others count
// from it, and so does what goes on after it.
func TestRemind(t *testing.T) {
	r := newRig(t, 3, nil)
	r.backup()
	r.want("a BACKUP", r.event(AdvertiseNow{}))
	r = newRig(t, 3, nil)
	at := r.master()
	r.now += 300 * time.Millisecond
	r.want("a MASTER", r.event(AdvertiseNow{}), "send priority=100")
	r.wantDeadline(at + 1300*time.Millisecond)
	if last := r.g.Member(0).Resume().LastAdvert.Sub(epoch); last != r.now {
		t.Errorf("the last advert was sent at %v, want %v", last, r.now)
	}
}
