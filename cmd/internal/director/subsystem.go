package director

import (
	"context"
	"log/slog"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A subsystem is a part of the director that has a state of its own beside the
// virtual routers. All its verbs are called in the director's loop, in the order
// of Director.subsystems; stop and close go through that list backwards.
//
// A subsystem embeds base, which does nothing for the verbs that it has no use for.
type subsystem interface {
	// open acquires what can be refused, before anything is changed.
	open() error
	// restore takes over what the former binary saved. It is called once, before
	// the first apply; s.At is zero if no binary was replaced.
	restore(s *upgradeState)
	// admit says why a configuration cannot be applied here and now, which the file
	// alone does not show. It changes nothing.
	admit(ctx context.Context, c *conf.Config) error
	// apply brings the subsystem to a configuration. The first call starts it, and
	// a call after suspend starts it again.
	apply(c *conf.Config)
	// handle is called for every event that is published.
	handle(e *event.Event)
	// report adds what status shows of the subsystem.
	report(s *status.Status)
	// suspend ends what must not run while the binary is replaced.
	suspend()
	// save adds what the new binary continues with.
	save(s *upgradeState)
	// withdraw is called before the virtual routers are given away: from then on the
	// subsystem decides nothing that could change who is MASTER.
	withdraw()
	// stop ends the subsystem once the virtual routers are given away, and puts back
	// what it changed in the kernel.
	stop() error
	// close frees what the subsystem still holds. It may be called after stop, after
	// suspend, and on a subsystem that was never started.
	close()
}

// base is what every subsystem is given of the director.
type base struct {
	log   *slog.Logger
	post  func(func()) // runs a function in the director's loop, later
	spawn func(func()) // runs a function in a goroutine that ends before the director does
	// publish tells all subscribers of an event; only in the loop.
	publish func(event.Event)
}

func (*base) open() error                               { return nil }
func (*base) restore(*upgradeState)                     {}
func (*base) admit(context.Context, *conf.Config) error { return nil }
func (*base) apply(*conf.Config)                        {}
func (*base) handle(*event.Event)                       {}
func (*base) report(*status.Status)                     {}
func (*base) suspend()                                  {}
func (*base) save(*upgradeState)                        {}
func (*base) withdraw()                                 {}
func (*base) stop() error                               { return nil }
func (*base) close()                                    {}

// base returns what the director gives to its subsystems.
func (d *Director) base() base {
	return base{log: d.log, post: d.mail.post, spawn: d.threads.Go, publish: d.publish}
}

// An optional is something that a configuration can leave out. What is done with
// it is not done when it is left out.
type optional[T any] struct{ value *T }

// with calls f with the value if there is one.
func (o *optional[T]) with(f func(*T)) {
	if o.value != nil {
		f(o.value)
	}
}

// take removes the value, and calls f with it if there was one.
func (o *optional[T]) take(f func(*T)) {
	value := o.value
	o.value = nil
	if value != nil {
		f(value)
	}
}

// want starts the value if it is wanted and not there, changes it if it is there,
// and ends it in another goroutine if it is not wanted: to end may mean to wait for
// somebody who waits for the director's loop.
func (o *optional[T]) want(b *base, wanted bool, start func() *T, change, end func(*T)) {
	switch {
	case !wanted:
		o.take(func(value *T) { b.spawn(func() { end(value) }) })
	case o.value == nil:
		o.value = start()
	default:
		change(o.value)
	}
}
