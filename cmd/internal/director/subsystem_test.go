package director

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"holdfast/cmd/internal/event"
)

// An aloneRecorder keeps what a subsystem that runs without a director publishes
// and logs.
type aloneRecorder struct {
	mail   *mailbox
	events []event.Event
	log    strings.Builder
}

// alone returns what a subsystem needs to run without a director. Its goroutines
// must have ended at the end of the test.
func alone(t testing.TB) (base, *aloneRecorder) {
	t.Helper()
	r := &aloneRecorder{mail: newMailbox()}
	threads := new(sync.WaitGroup)
	t.Cleanup(threads.Wait)
	return base{
		log:     slog.New(slog.NewTextHandler(&r.log, nil)),
		post:    r.mail.post,
		spawn:   threads.Go,
		publish: func(e event.Event) { r.events = append(r.events, e) },
	}, r
}

// An optional value is made when a configuration first wants it, changed while it is
// still wanted, and ended when it is not. with and take do nothing while there is none.
func TestOptional(t *testing.T) {
	b, _ := alone(t)
	var o optional[string]
	var said []string
	ended := make(chan string, 1)
	want := func(wanted bool, value string) {
		o.want(&b, wanted,
			func() *string { said = append(said, "start "+value); return &value },
			func(s *string) { said = append(said, "change "+*s+" to "+value); *s = value },
			func(s *string) { ended <- *s })
		o.with(func(s *string) { said = append(said, "have "+*s) })
	}
	want(false, "")
	want(true, "a")
	want(true, "b")
	want(false, "")
	if got := <-ended; got != "b" {
		t.Errorf("ended %s", got)
	}
	o.take(func(*string) { t.Error("it was taken twice") })
	if want := []string{"start a", "have a", "change a to b", "have b"}; !slices.Equal(said, want) {
		t.Errorf("%q, want %q", said, want)
	}
}
