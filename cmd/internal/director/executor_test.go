package director

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// fakeDevices records what is asked of it and refuses what is named "bad".
type fakeDevices struct {
	mu    sync.Mutex
	calls []string
	gate  chan struct{} // if not nil, Mute waits for it
}

func (f *fakeDevices) Claim(names []string) []error { return f.call("claim", names) }
func (f *fakeDevices) ClaimInParts(names []string, up func([]claimed)) []error {
	errs := f.call("claim unserved", names)
	for i := range names {
		up([]claimed{{i, 7}})
	}
	return errs
}
func (f *fakeDevices) Release(names []string) []error { return f.call("release", names) }
func (f *fakeDevices) Mute(names []string) []error {
	if f.gate != nil {
		<-f.gate
	}
	return f.call("mute", names)
}

func (f *fakeDevices) call(verb string, names []string) []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, verb+" "+strings.Join(names, " "))
	errs := make([]error, len(names))
	for i, n := range names {
		if n == "bad" {
			errs[i] = errors.New("refused")
		}
	}
	return errs
}

// Orders of one kind that wait together are carried out in one call. The orders for
// one router keep their order, and only claims are answered.
func TestExecutorBatchInOrder(t *testing.T) {
	d := &fakeDevices{gate: make(chan struct{})}
	var answers, tallies, failures []string
	h := newExecutor(d,
		func(o speaker.Order, err error) {
			answers = append(answers, fmt.Sprintf("%s %d %v", o.Router, o.Seq, err))
		},
		func(parts []speaker.ClaimProgress) {
			for _, p := range parts {
				tallies = append(tallies, fmt.Sprintf("%s %d: %d", p.Order.Router, p.Order.Seq, p.Addresses))
			}
		},
		func(o speaker.Order, err error) { failures = append(failures, fmt.Sprintf("%s %v", o.Router, err)) })
	done := make(chan struct{})
	go func() { h.run(); close(done) }()
	order := func(verb vrrp.Verb, seq uint64, routers ...string) {
		var orders []speaker.Order
		for i, r := range routers {
			orders = append(orders, speaker.Order{Router: r, Verb: verb, Seq: seq + uint64(i)})
		}
		h.order(orders)
	}
	order(vrrp.Mute, 1, "a") // blocks the worker while the rest queues up
	order(vrrp.Claim, 2, "b", "bad")
	order(vrrp.Claim, 4, "c")
	order(vrrp.Claim, 5, "b")
	order(vrrp.Release, 6, "b", "bad")
	h.order([]speaker.Order{{Router: "d", Verb: vrrp.Claim, Unserved: true, Seq: 8}})
	close(d.gate)
	h.quit()
	<-done
	// The worker may have taken the first order alone or with all others;
	// what follows from it is the same.
	want := []string{"mute a", "claim unserved d", "claim b bad c", "claim b", "release b bad"}
	if !slices.Equal(d.calls, want) {
		t.Errorf("calls %q, want %q", d.calls, want)
	}
	if want := []string{"d 8: 7"}; !slices.Equal(tallies, want) {
		t.Errorf("tallies %q, want %q", tallies, want)
	}
	if want := []string{"d 8 <nil>", "b 2 <nil>", "bad 3 refused", "c 4 <nil>", "b 5 <nil>"}; !slices.Equal(answers, want) {
		t.Errorf("answers %q, want %q", answers, want)
	}
	if want := []string{"bad refused"}; !slices.Equal(failures, want) {
		t.Errorf("failures %q, want %q", failures, want)
	}
}

// Stopping many routers orders Mute, Release, Mute, Release. The executor makes two
// calls of it, Mute first.
func TestExecutorBatchAcrossKinds(t *testing.T) {
	var orders []speaker.Order
	for _, word := range strings.Fields("release:a mute:b release:c claim:d mute:e release:b claim:b mute:c") {
		verb, router, _ := strings.Cut(word, ":")
		verbs := map[string]vrrp.Verb{"mute": vrrp.Mute, "claim": vrrp.Claim, "release": vrrp.Release}
		orders = append(orders, speaker.Order{Router: router, Verb: verbs[verb]})
	}
	var got []string
	for len(orders) > 0 {
		var batch []speaker.Order
		batch, orders = next(orders)
		call := vrrp.Action{Verb: batch[0].Verb}.String()
		for _, o := range batch {
			call += " " + o.Router
		}
		got = append(got, call)
	}
	want := []string{"mute b e", "claim d", "release a c b", "mute c", "claim b"}
	if !slices.Equal(got, want) {
		t.Errorf("calls %q, want %q", got, want)
	}
}

// A release is told of when its devices have been taken down, not before.
func TestReleasedIsToldLast(t *testing.T) {
	loop, later := newMailbox(), newMailbox()
	var done []string
	rs := &routers{base: base{post: loop.post}, released: func(o speaker.Order) { done = append(done, o.Router+" released") }}
	work := func(m *mailbox) {
		for _, f := range m.take() {
			f()
		}
	}
	later.post(func() { done = append(done, "a taken down") })
	rs.tellReleased(later, speaker.Order{Router: "a"})
	work(loop)
	if len(done) != 0 {
		t.Errorf("%q was told before anything was done", done)
	}
	work(later)
	work(loop)
	if want := []string{"a taken down", "a released"}; !slices.Equal(done, want) {
		t.Errorf("%q, want %q", done, want)
	}
}
