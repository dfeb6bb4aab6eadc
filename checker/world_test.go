package checker

import (
	"context"
	"errors"
	"fmt"
	"holdfast/checker/probe"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A world is where the checks of a test happen: it answers every probe and
// notes when each began and what was reported, in time since the start.
type world struct {
	start time.Time
	set   *Set

	mu      sync.Mutex
	answer  func(attempt) (took time.Duration, err error)
	begun   []attempt
	running map[netip.AddrPort]int
	most    int // attempts at once
	changes []string
	stopped int // attempts whose context ended
}

// An attempt is one probe, the n-th (from 0) of an address.
type attempt struct {
	To string // the last byte of the address
	At time.Duration
	n  int
}

// newWorld makes the world of a synctest bubble. Its set ends with the test.
func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{start: time.Now(), running: make(map[netip.AddrPort]int)}
	o.NewProber = w.prober
	if o.OnChange == nil {
		o.OnChange = w.note
	}
	if o.Rand == nil {
		o.Rand = func() float64 { return 0 }
	}
	w.set = New(o)
	t.Cleanup(func() {
		w.set.Close()
		ordinaryIsNotWritten(t)
	})
	return w
}

func (w *world) prober(c Config) probe.Prober {
	n := 0
	return probe.ProberFunc(func(ctx context.Context) error {
		w.mu.Lock()
		a := attempt{To: lastByte(c.Address), At: time.Since(w.start), n: n}
		n++
		w.begun = append(w.begun, a)
		w.running[c.Address]++
		if w.running[c.Address] > 1 {
			panic("two attempts at once at " + c.Address.String())
		}
		all := 0
		for _, k := range w.running {
			all += k
		}
		w.most = max(w.most, all)
		answer := w.answer
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.running[c.Address]--
			w.mu.Unlock()
		}()
		if answer == nil {
			return nil
		}
		took, err := answer(a)
		select {
		case <-time.After(took):
			return err
		case <-ctx.Done():
			w.mu.Lock()
			w.stopped++
			w.mu.Unlock()
			return fmt.Errorf("connect: %w", ctx.Err())
		}
	})
}

func (w *world) note(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	word := "down"
	if c.Up {
		word = "up"
	}
	if c.Waits {
		word = "waits"
	}
	if c.First {
		word += " first"
	}
	w.changes = append(w.changes, fmt.Sprintf("%v %s %s: %s", c.At.Sub(w.start), c.ID, word, c.Reason))
}

func (w *world) answers(f func(attempt) (time.Duration, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// refuse makes the addresses refuse connections from now on, and all others answer.
func (w *world) refuse(addresses ...string) {
	w.answers(func(a attempt) (time.Duration, error) {
		if slices.Contains(addresses, a.To) {
			return 0, errRefused
		}
		return 0, nil
	})
}

// A recorder keeps what it is told from any goroutine.
type recorder struct {
	mu  sync.Mutex
	got []string
}

func (r *recorder) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, text)
}

// want compares what came until a second later.
func (r *recorder) want(t *testing.T, when string, want ...string) {
	t.Helper()
	time.Sleep(time.Second)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.got, want) {
		t.Errorf("%s: %q, want %q", when, r.got, want)
	}
	r.got = nil
}

// took returns the attempts and changes since it was last called.
func (w *world) took() (attempts, changes []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.begun {
		attempts = append(attempts, fmt.Sprintf("%s %v", a.To, a.At))
	}
	changes = w.changes
	w.begun, w.changes = nil, nil
	return attempts, changes
}

func (w *world) wantAttempts(t *testing.T, want ...string) {
	t.Helper()
	attempts, _ := w.took()
	if diff := cmp.Diff(want, attempts, cmpopts.EquateEmpty(), byValue); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func (w *world) wantChanges(t *testing.T, want ...string) {
	t.Helper()
	_, changes := w.took()
	if diff := cmp.Diff(want, changes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func (w *world) apply(t *testing.T, configs ...Config) {
	t.Helper()
	if err := w.set.Apply(configs); err != nil {
		t.Fatal(err)
	}
}

func (w *world) status(t *testing.T, id string) Status {
	t.Helper()
	for _, st := range w.set.Status() {
		if st.ID == id {
			return st
		}
	}
	t.Fatalf("no status of %s", id)
	return Status{}
}

func lastByte(a netip.AddrPort) string {
	s := a.Addr().String()
	return s[strings.LastIndexByte(s, '.')+1:]
}

// second returns the check of the server with this last byte, each second.
func second(id string, last byte) Config {
	c := Default(probe.TCP{})
	c.ID = id
	c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 80)
	c.Interval, c.Timeout = time.Second, 500*time.Millisecond
	return c
}

var errRefused = errors.New("connect: connection refused")

func always(err error) func(attempt) (time.Duration, error) {
	return func(attempt) (time.Duration, error) { return 0, err }
}

func numbers(list ...float64) func() float64 {
	return func() float64 {
		n := list[0]
		list = list[1:]
		return n
	}
}

var (
	byValue   = cmpopts.SortSlices(func(a, b string) bool { return a < b })
	addresses = cmpopts.EquateComparable(netip.AddrPort{})
)
