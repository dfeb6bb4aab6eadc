package ipvs

import (
	"fmt"
	"time"

	"holdfast/lvs"
)

// callTimeout bounds a call of the kernel as a whole. The kernel may have to load
// the module of a scheduler before it answers, and meanwhile keeps every other
// program that talks to IPVS waiting within its system call.
const callTimeout = 5 * time.Second

// A guard is a transport whose calls return after a time at the latest. A call that
// takes longer goes on by itself. Until it has ended, the others return an error
// at once. A guard is not safe for concurrent use.
type guard struct {
	of      transport
	timeout time.Duration
	busy    chan struct{} // closed at the end of the call that took too long; nil is none
}

// An answer is what do and dump of a transport return.
type answer struct {
	messages [][]byte
	err      error
}

func (g *guard) do(r request) ([][]byte, error) { return g.ask(g.of.do, r) }

func (g *guard) dump(r request) ([][]byte, error) { return g.ask(g.of.dump, r) }

func (g *guard) ask(how func(request) ([][]byte, error), r request) ([][]byte, error) {
	a, err := within(g, func() answer {
		messages, err := how(r)
		return answer{messages, err}
	})
	if err != nil {
		return nil, err
	}
	return a.messages, a.err
}

func (g *guard) batch(requests []request) []error {
	errs, err := within(g, func() []error { return g.of.batch(requests) })
	if err != nil {
		return repeat(err, len(requests))
	}
	return errs
}

// close closes the transport once nobody uses it any more.
func (g *guard) close() {
	if g.busy == nil {
		g.of.close()
		return
	}
	busy := g.busy
	go func() {
		<-busy
		g.of.close()
	}()
}

// within calls f in a goroutine of its own, because a system call cannot be broken
// off.
func within[T any](g *guard, f func() T) (T, error) {
	if g.busy != nil {
		select {
		case <-g.busy:
			g.busy = nil
		default:
			return *new(T), fmt.Errorf("%w: it still works on an earlier request", lvs.ErrUnanswered)
		}
	}
	done, ended := make(chan T, 1), make(chan struct{})
	go func() {
		defer close(ended)
		done <- f()
	}()
	watchdog := time.NewTimer(g.timeout)
	defer watchdog.Stop()
	select {
	case value := <-done:
		<-ended
		return value, nil
	case <-watchdog.C:
		g.busy = ended
		return *new(T), fmt.Errorf("%w in %v", lvs.ErrUnanswered, g.timeout)
	}
}
