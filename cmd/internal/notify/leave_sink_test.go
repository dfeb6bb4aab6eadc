package notify

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
)

// continueSink returns the sink of the next binary, as its file has it.
func continueSink(t *testing.T, left LeftSink) *sinkBench {
	t.Helper()
	text, err := json.Marshal(left)
	if err != nil {
		t.Fatal(err)
	}
	var read LeftSink
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	b := &sinkBench{fakeTransport: &fakeTransport{start: time.Now()}, log: &logBuffer{}}
	o := SinkOptions{Transport: b.fakeTransport, Queue: 4, RetryMin: time.Second, RetryMax: 4 * time.Second}
	b.Sink = ContinueSink("fake", slog.New(slog.NewTextHandler(b.log, nil)), o, &read)
	return b
}

// What a sink could not deliver is delivered by the next one, once and in order, with what
// happened while the sink rested.
func TestSinkRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, nil, func(_ context.Context, all []event.Event) (int, error) {
			if all[0].Subject == "a" {
				return 1, nil
			}
			return 0, errors.New("no route")
		})
		b.send("a")
		synctest.Wait()
		b.send("b", "c")
		b.check(t, "before", "0s a", "0s b c")
		b.Rest(t.Context())
		b.send("d")
		b.SendStates([]event.Event{{Subject: "e", Snapshot: true}})
		young := continueSink(t, b.Leave())
		young.check(t, "after", "0s b c d e")
		young.count(t, 0, 5, 0)
		if strings.Contains(b.log.String(), "dropped") || b.closed != 1 {
			t.Errorf("closed %d times:\n%s", b.closed, b.log)
		}
		if s := young.Status(); s.Failed == 0 || s.LastError != "no route" || !s.FailingSince.IsZero() {
			t.Errorf("%+v", s)
		}
		young.Sink.Close(t.Context())
	})
}

// A delivery that takes too long is broken off, and its events are left. What is well is
// delivered before.
func TestSinkRestsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for plan, want := range map[string]string{"hangs": "0s a b", "well": ""} {
			b := newSinkBench(t, func(o *SinkOptions) { o.Gather = time.Minute }, func(ctx context.Context, all []event.Event) (int, error) {
				if plan == "well" {
					return len(all), nil
				}
				<-ctx.Done()
				return 0, ctx.Err()
			})
			b.send("a", "b")
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			b.Rest(ctx)
			cancel()
			if took := time.Since(begun); (took == 2*time.Second) != (plan == "hangs") {
				t.Errorf("%s: it took %v", plan, took)
			}
			young := continueSink(t, b.Leave())
			synctest.Wait()
			if got := strings.Join(young.told, ";"); got != want {
				t.Errorf("%s: told %q, want %q", plan, got, want)
			}
			young.Sink.Close(t.Context())
		}
	})
}

// A sink leaves no more than a bound; the oldest give way.
func TestSinkLeavesABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSinkBench(t, nil, nil)
		b.Rest(t.Context())
		b.Send(event.Event{Subject: "a"})
		b.Send(event.Event{Subject: "big", Reason: strings.Repeat("x", maxLeft)})
		b.Send(event.Event{Subject: "c"})
		left := b.Leave()
		if len(left.Events) != 1 || left.Events[0].Subject != "c" || left.Status.Dropped != 2 {
			t.Errorf("%d are left, %d dropped", len(left.Events), left.Status.Dropped)
		}
		if !strings.Contains(b.log.String(), "level=ERROR") || !strings.Contains(b.log.String(), "count=2") {
			t.Errorf("the log says\n%s", b.log)
		}
		many := LeftSink{}
		for _, name := range []string{"a", "b", "c", "d", "e"} { // from a configuration with a longer queue
			many.Events = append(many.Events, event.Whole{Subject: name})
		}
		young := continueSink(t, many)
		young.check(t, "the newest", "0s b c d e")
		young.count(t, 0, 4, 1)
		young.Sink.Close(t.Context())
	})
}
