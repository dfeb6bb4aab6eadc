package speaker

import (
	"errors"
	"fmt"
	"time"

	"holdfast/vrrp"
)

// ErrEnded is the error of every method of a Speaker whose loop has ended.
var ErrEnded = errors.New("the VRRP loop has ended")

// do runs f in the loop and waits for it.
func (s *Speaker) do(f func(now time.Time)) error {
	done := make(chan struct{})
	if !s.enqueue(func(now time.Time) { f(now); close(done) }) {
		return ErrEnded
	}
	<-done
	return nil
}

// enqueue hands f to the loop. It returns false if the loop has ended.
func (s *Speaker) enqueue(f func(now time.Time)) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	first := len(s.commands) == 0 // otherwise the loop was woken already
	s.commands = append(s.commands, f)
	s.mu.Unlock()
	if first {
		s.opts.Port.Wake()
	}
	return true
}

// runCommands runs the queued commands and reports whether the loop is to
// end.
func (s *Speaker) runCommands(now time.Time) (quit bool) {
	s.mu.Lock()
	commands := s.commands
	s.commands = nil
	quit = s.ended
	s.mu.Unlock()
	for _, f := range commands {
		f(now)
	}
	return quit
}

// end refuses further commands and runs the queued ones, whose callers wait.
func (s *Speaker) end() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.runCommands(time.Now())
}

// Quit ends the loop after the commands given so far. Nothing is sent and
// nothing is released: see [Speaker.Stop] for that.
func (s *Speaker) Quit() {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	s.opts.Port.Wake()
}

// try runs f in the loop and returns its error.
func (s *Speaker) try(f func(now time.Time) error) error {
	var err error
	ended := s.do(func(now time.Time) { err = f(now) })
	return errors.Join(ended, err)
}

// with is try for the router of a name.
func (s *Speaker) with(name string, f func(now time.Time, r *router) error) error {
	return s.try(func(now time.Time) error {
		r := s.routers[name]
		if r == nil {
			return fmt.Errorf("no virtual router %s", name)
		}
		return f(now, r)
	})
}

// Deliver gives a router an event.
func (s *Speaker) Deliver(name string, ev vrrp.Event) error {
	return s.with(name, func(now time.Time, r *router) error {
		actions := r.group.Step(now, r.member, ev)
		if _, ok := ev.(vrrp.Reconfigure); ok {
			s.refresh(r)
		}
		s.perform(now, r.group, actions)
		return nil
	})
}

// SetTx gives a router another transmit and announcement configuration.
func (s *Speaker) SetTx(name string, v TxConfig, p AnnounceConfig) error {
	return s.with(name, func(now time.Time, r *router) error {
		if v.IfIndex != r.tx.IfIndex {
			delete(s.sendFailures, r.tx.IfIndex)
		}
		r.tx, r.announce = v, p
		s.refresh(r)
		s.perform(now, r.group, r.group.Step(now, r.member, vrrp.Primary{Address: v.Source}))
		return nil
	})
}

// Stop stops all members of a group, or a lone router. Each member's Stopped
// report says when it has released everything.
func (s *Speaker) Stop(name string) error { return s.deliverAll(name, vrrp.Stop{}) }

// Yield makes all members of a group, or a lone router, give mastership away.
func (s *Speaker) Yield(name string) error { return s.deliverAll(name, vrrp.Yield{}) }

// HoldPreempt gives every router the reason why it must not preempt a MASTER, which
// is "" if it may.
func (s *Speaker) HoldPreempt(why func(router string) string) error {
	return s.do(func(now time.Time) {
		for name, r := range s.routers {
			s.perform(now, r.group, r.group.Step(now, r.member, vrrp.HoldPreempt{Why: why(name)}))
		}
	})
}

// Announce makes a router that is MASTER announce its addresses once more. It
// is an error if the router is not MASTER.
func (s *Speaker) Announce(name string) error {
	return s.with(name, func(now time.Time, r *router) error {
		if state := r.machine().State(); state != vrrp.Master {
			return fmt.Errorf("%s is %v here, and only a MASTER announces its addresses", name, state)
		}
		r.burst.once(now, r.announce)
		s.schedule(r.group)
		return nil
	})
}

// Reannounce makes a router that is MASTER announce its addresses as at a takeover,
// at once and again after the delay of its AnnounceConfig: neighbours may have learnt
// another MAC, or another way to it. It does nothing if the router is not MASTER.
func (s *Speaker) Reannounce(name string) error {
	return s.with(name, func(now time.Time, r *router) error {
		if r.machine().State() == vrrp.Master {
			r.burst.restart(now, r.announce)
			s.schedule(r.group)
		}
		return nil
	})
}

// AdvertiseNow sends an advert of every MASTER before it is due, because the
// caller may delay the next one. The adverts have been sent when it returns.
func (s *Speaker) AdvertiseNow() error {
	return s.do(func(now time.Time) {
		for _, g := range s.groups {
			for i := range g.routers {
				s.perform(now, g, g.Step(now, i, vrrp.AdvertiseNow{}))
			}
		}
		s.flush(now)
	})
}

func (s *Speaker) deliverAll(name string, ev vrrp.Event) error {
	return s.try(func(now time.Time) error {
		g := s.groups[name]
		if g == nil {
			return fmt.Errorf("no group or virtual router %s", name)
		}
		for i := range g.routers {
			s.perform(now, g, g.Step(now, i, ev))
		}
		return nil
	})
}

// Answer reports the outcome of an order; a nil error means success. It does
// not wait for the loop.
func (s *Speaker) Answer(o Order, outcome error) {
	var ev vrrp.Event = vrrp.Claimed{}
	if outcome != nil {
		ev = vrrp.ClaimFailed{Problem: outcome.Error()}
	}
	s.enqueue(func(now time.Time) { s.answered(now, o, ev) })
}

// ClaimProgress reports how far claims are. It does not wait for the loop.
func (s *Speaker) ClaimProgress(parts []ClaimProgress) {
	s.enqueue(func(now time.Time) {
		for _, p := range parts {
			s.answered(now, p.Order, vrrp.ClaimedPart{Addresses: p.Addresses})
		}
	})
}

func (s *Speaker) answered(now time.Time, o Order, ev vrrp.Event) {
	if r := s.routers[o.Router]; r != nil && r.seq == o.Seq && o.Verb == vrrp.Claim {
		s.perform(now, r.group, r.group.Step(now, r.member, ev))
	}
}
