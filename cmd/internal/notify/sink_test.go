package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
)

// A fakeTransport notes what it is given, and does what its plan says.
type fakeTransport struct {
	start   time.Time
	mu      sync.Mutex // for the race detector, which does not know that sleeping orders
	plan    func(ctx context.Context, notices []event.Event) (int, error)
	prepare func() error // nil: it is well
	told    []string     // "5s a b": when, and what
	closed  int
	closing chan struct{} // if there is one, Close waits to send to it and to receive
}

func (f *fakeTransport) Deliver(ctx context.Context, notices []event.Event) (int, error) {
	if len(notices) == 0 && f.prepare != nil {
		return 0, f.prepare()
	}
	if len(notices) == 0 {
		return 0, nil
	}
	words := []string{time.Since(f.start).String()}
	for _, n := range notices {
		words = append(words, n.Subject)
	}
	f.mu.Lock()
	f.told = append(f.told, strings.Join(words, " "))
	f.mu.Unlock()
	if f.plan == nil {
		return len(notices), nil
	}
	return f.plan(ctx, notices)
}

func (f *fakeTransport) Close() {
	f.closed++
	if f.closing != nil {
		f.closing <- struct{}{}
		<-f.closing
	}
}

type sinkBench struct {
	*Sink
	*fakeTransport
	log *logBuffer
}

func newSinkBench(t *testing.T, change func(*SinkOptions), plan func(context.Context, []event.Event) (int, error)) *sinkBench {
	t.Helper()
	b := &sinkBench{fakeTransport: &fakeTransport{start: time.Now(), plan: plan}, log: &logBuffer{}}
	o := SinkOptions{Transport: b.fakeTransport, Queue: 4, RetryMin: time.Second, RetryMax: 4 * time.Second}
	if change != nil {
		change(&o)
	}
	b.Sink = NewSink("fake", slog.New(slog.NewTextHandler(b.log, nil)), o)
	return b
}

func (b *sinkBench) send(texts ...string) {
	for _, text := range texts {
		b.Send(event.Event{Subject: text, At: time.Now()})
	}
}

func (b *sinkBench) check(t *testing.T, what string, want ...string) {
	t.Helper()
	synctest.Wait()
	b.fakeTransport.mu.Lock()
	defer b.fakeTransport.mu.Unlock()
	if got := strings.Join(b.told, "; "); got != strings.Join(want, "; ") {
		t.Errorf("%s: told %s, want %s", what, got, strings.Join(want, "; "))
	}
}

func (b *sinkBench) count(t *testing.T, queued int, delivered, dropped uint64) {
	t.Helper()
	synctest.Wait()
	if s := b.Status(); s.Queued != queued || s.Delivered != delivered || s.Dropped != dropped {
		t.Errorf("%d wait, %d were delivered, %d dropped; want %d, %d and %d", s.Queued, s.Delivered, s.Dropped, queued, delivered, dropped)
	}
}

func TestSinkGathers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, func(o *SinkOptions) { o.Gather = 5 * time.Second }, nil)
		time.Sleep(time.Second)
		b.send("a")
		time.Sleep(3 * time.Second)
		b.send("b")
		b.check(t, "early")
		time.Sleep(5 * time.Second)
		b.send("c") // at 9 s, and told at 14 s
		time.Sleep(6 * time.Second)
		b.send("d")
		b.Sink.Close(t.Context())
		b.check(t, "in the end", "6s a b", "14s c", "15s d")
		b.count(t, 0, 4, 0)
		if b.closed != 1 {
			t.Errorf("closed %d times", b.closed)
		}
	})
}

// During an outage the pauses between attempts grow, and the outage is logged once.
// When too many events wait, the oldest are dropped.
func TestSinkOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		b := newSinkBench(t, nil, func(_ context.Context, n []event.Event) (int, error) {
			if broken.Load() {
				return 0, errors.New("no route")
			}
			return len(n), nil
		})
		b.send("a")
		time.Sleep(12 * time.Second)
		b.check(t, "broken", "0s a", "1s a", "3s a", "7s a", "11s a")
		b.send("b", "c", "d", "e", "f")
		b.count(t, 4, 0, 2)
		if s := b.Status(); s.LastError != "no route" || s.FailingSince != b.start {
			t.Errorf("status %+v", s)
		}
		broken.Store(false)
		time.Sleep(4 * time.Second)
		b.check(t, "mended", "0s a", "1s a", "3s a", "7s a", "11s a", "15s c d e f")
		b.count(t, 0, 4, 2)
		if s := b.Status(); !s.FailingSince.IsZero() || s.LastDelivery != b.start.Add(15*time.Second) {
			t.Errorf("status %+v", s)
		}
		b.Sink.Close(t.Context())
		for _, once := range []string{"not delivered", "delivered again", "too many"} {
			if n := strings.Count(b.log.String(), once); n != 1 {
				t.Errorf("the log says %q %d times:\n%s", once, n, b.log)
			}
		}
	})
}

// An event that was delivered is not sent again. An event that was refused is
// skipped.
func TestSinkPartAndRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := 0
		together := func(o *SinkOptions) { o.Gather = time.Second }
		b := newSinkBench(t, together, func(_ context.Context, n []event.Event) (int, error) {
			step++
			switch step {
			case 1:
				return 1, errors.New("broke off")
			case 2:
				return 1, &Refused{Err: errors.New("410 Gone")}
			case 4:
				return 0, &Refused{Err: errors.New("550 all of them"), Count: len(n)}
			}
			return len(n), nil
		})
		b.send("a", "b", "c", "d")
		time.Sleep(time.Second)
		b.check(t, "first", "1s a b c d")
		time.Sleep(time.Second)
		b.check(t, "then", "1s a b c d", "2s b c d", "2s d")
		b.count(t, 0, 3, 1)
		b.send("e", "f")
		time.Sleep(time.Second)
		b.check(t, "at last", "1s a b c d", "2s b c d", "2s d", "3s e f")
		b.count(t, 0, 3, 3)
		b.Sink.Close(t.Context())
	})
}

// A sink whose events are all refused, as with an expired token, is unwell.
func TestSinkRefusedIsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := true
		b := newSinkBench(t, nil, func(_ context.Context, n []event.Event) (int, error) {
			if refuse {
				return 0, &Refused{Err: errors.New("401 Unauthorized")}
			}
			return len(n), nil
		})
		for i, told := range [][]string{{"0s a"}, {"0s a", "1s b"}} {
			text := "ab"[i : i+1]
			b.send(text)
			b.check(t, "refused", told...)
			time.Sleep(time.Second)
			if s := b.Status(); s.FailingSince != b.start || s.LastError != "401 Unauthorized" {
				t.Errorf("after %s: %+v", text, s)
			}
		}
		refuse = false
		b.send("c")
		b.check(t, "in the end", "0s a", "1s b", "2s c")
		if s := b.Status(); !s.FailingSince.IsZero() {
			t.Errorf("in the end: %+v", s)
		}
		b.Sink.Close(t.Context())
	})
}

func TestSinkGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, func(o *SinkOptions) { o.GiveUp = 5 * time.Second }, func(context.Context, []event.Event) (int, error) {
			return 0, errors.New("no")
		})
		b.send("a")
		time.Sleep(4 * time.Second)
		b.send("b")
		time.Sleep(3500 * time.Millisecond) // the try at 7s
		b.count(t, 1, 0, 1)
		time.Sleep(time.Hour)
		b.count(t, 0, 0, 2)
		b.Sink.Close(t.Context())
	})
}

// A sink that is closed tries each waiting event once, within the time of Close.
func TestSinkClose(t *testing.T) {
	t.Run("broken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newSinkBench(t, nil, func(context.Context, []event.Event) (int, error) { return 0, errors.New("no") })
			b.send("a")
			b.Sink.Close(t.Context())
			b.check(t, "closed", "0s a")
			b.count(t, 0, 0, 1)
			if !strings.Contains(b.log.String(), `notifications are dropped: the sink ends" sink=fake count=1 err=no`) {
				t.Errorf("the log does not say what was dropped:\n%s", b.log)
			}
		})
	})
	t.Run("hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			b := newSinkBench(t, nil, func(ctx context.Context, _ []event.Event) (int, error) {
				<-ctx.Done()
				return 0, ctx.Err()
			})
			b.send("a")
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
			defer cancel()
			b.Sink.Close(ctx)
			if took := time.Since(b.start); took != 3*time.Second {
				t.Errorf("took %v", took)
			}
			b.send("b")
			b.count(t, 0, 0, 1)
		})
	})
}

// New options apply at once, also to events that wait.
func TestSinkReconfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, nil, func(ctx context.Context, _ []event.Event) (int, error) {
			<-ctx.Done()
			return 0, fmt.Errorf("cut: %w", ctx.Err())
		})
		b.send("a", "b")
		synctest.Wait()
		other := &fakeTransport{start: b.start}
		b.Reconfigure(SinkOptions{Transport: other, Queue: 4})
		synctest.Wait()
		if len(other.told) != 1 || other.told[0] != "0s a b" || b.closed != 1 {
			t.Errorf("told %q; the former is closed %d times", other.told, b.closed)
		}
		if s := b.Status(); s.LastError != "" {
			t.Errorf("an interruption counts as a failure: %+v", s)
		}
		b.Sink.Close(t.Context())
	})
}

// A transport that ends slowly, as a pipe with a slow reader does, delays only its
// sink.
func TestSinkReconfigureMakesNobodyWait(t *testing.T) {
	slow, other := &fakeTransport{closing: make(chan struct{})}, &fakeTransport{}
	begun := make(chan struct{})
	slow.prepare = func() error { close(begun); return nil }
	s := NewSink("fake", slog.New(slog.DiscardHandler), SinkOptions{Transport: slow, Queue: 4})
	wait(t, begun, "the transport to be prepared")
	s.Reconfigure(SinkOptions{Transport: other, Queue: 4})
	wait(t, slow.closing, "the former transport to be closed")
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		s.Send(event.Event{Subject: "a"})
		s.Status()
	}()
	wait(t, sent, "a notice to be taken while the former transport ends")
	slow.closing <- struct{}{}
	s.Close(t.Context())
	if len(other.told) != 1 || slow.closed != 1 {
		t.Errorf("told %q; the former is closed %d times", other.told, slow.closed)
	}
}

// When the time of Close is over, no further delivery begins, even if an answer came
// at that moment.
func TestSinkCloseBeginsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, nil, func(ctx context.Context, _ []event.Event) (int, error) {
			select {
			case <-ctx.Done():
			case <-time.After(time.Minute):
			}
			return 0, &Refused{Err: errors.New("404 Not Found")}
		})
		b.send("a", "b")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		b.Sink.Close(ctx)
		if took := time.Since(b.start); took != time.Second {
			t.Errorf("took %v", took)
		}
		b.count(t, 0, 0, 2)
	})
}

// A failed preparation is tried again before there is an event to send.
func TestSinkPreparesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTransport{start: time.Now()}
		var tries atomic.Int32
		f.prepare = func() error {
			if tries.Add(1) < 4 {
				return errors.New("no such directory")
			}
			return nil
		}
		s := NewSink("fake", slog.New(slog.DiscardHandler), SinkOptions{Transport: f, Queue: 4, RetryMin: time.Second, RetryMax: time.Minute})
		time.Sleep(6 * time.Second) // tries at 0, 1 and 3 s
		synctest.Wait()
		if st := s.Status(); tries.Load() != 3 || st.FailingSince != f.start || st.LastError != "no such directory" {
			t.Errorf("%d tries: %+v", tries.Load(), st)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := s.Status(); tries.Load() != 4 || !st.FailingSince.IsZero() || st.Delivered != 0 {
			t.Errorf("%d tries: %+v", tries.Load(), st)
		}
		s.Close(t.Context())
	})
}

// States come after the events that wait, replace states that wait, and push no
// event out of a full queue.
func TestSinkStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		b := newSinkBench(t, nil, func(_ context.Context, list []event.Event) (int, error) {
			if fail {
				return 0, errors.New("not now")
			}
			return len(list), nil
		})
		states := func(names ...string) {
			var list []event.Event
			for _, name := range names {
				list = append(list, event.Event{Subject: name, Snapshot: true})
			}
			b.SendStates(list)
		}
		b.send("a", "b")
		synctest.Wait()
		states("old", "old", "old", "old", "old")
		b.send("c")
		states("x", "y", "z")
		b.send("d")
		b.count(t, 7, 0, 0)
		b.send("e") // one more than the queue takes
		synctest.Wait()
		fail = false
		b.fakeTransport.mu.Lock()
		b.told = nil
		b.fakeTransport.mu.Unlock()
		time.Sleep(5 * time.Second)
		b.check(t, "states", "1s b c x y z d e")
		b.count(t, 0, 7, 1)
		b.Sink.Close(t.Context())
		states("late")
		b.count(t, 0, 7, 1)
	})
}
