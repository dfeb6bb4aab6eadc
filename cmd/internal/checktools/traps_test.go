package checktools

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/checker/probe"
)

// A trapWorld notes what Traps tell.
type trapWorld struct {
	*Traps
	begun time.Time
	mu    sync.Mutex // timers tell too
	told  []string
}

func newTrapWorld() *trapWorld {
	w := &trapWorld{Traps: &Traps{}, begun: time.Now()}
	note := func(format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, fmt.Sprintf("%v ", time.Since(w.begun))+fmt.Sprintf(format, args...))
	}
	w.Ran = func(r probe.MonRun) {
		line, _, _ := strings.Cut(r.Output, "\n")
		note("%s %s %d %s%s", r.Service, r.Source, r.Status, line, r.Intended)
	}
	w.Lapsed = func(service string) { note("%s lapsed", service) }
	return w
}

func (w *trapWorld) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("told\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	w.told = nil
}

func TestTraps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrapWorld()
		defer w.Close()
		services := map[string]probe.Trap{"web:http": {Silence: 10 * time.Second}, "web:disk": {Lasts: 5 * time.Second}, "default:default": {}}
		w.Apply(services, nil)
		var calls atomic.Int64
		defer w.Watch("web:http", func() { calls.Add(1) })()
		if _, _, ok := w.Latest("web:http"); ok {
			t.Error("a trap is known from the start")
		}
		time.Sleep(4 * time.Second)
		_ = w.Receive("web", "http", 0, "\n\n")
		w.Apply(services, nil) // a reload changes no time
		time.Sleep(21 * time.Second)
		w.expect(t, "4s web:http trap 0 ", "14s web:http traptimeout 1 trap timeout", "24s web:http traptimeout 1 trap timeout")
		if status, output, ok := w.Latest("web:http"); status != 1 || !strings.HasPrefix(output, "trap timeout\ntrap timeout after 10s at ") || !ok || calls.Load() != 3 {
			t.Errorf("%d %q %v, %d calls", status, output, ok, calls.Load())
		}
		w.Apply(map[string]probe.Trap{"web:disk": services["web:disk"], "default:default": {}}, nil)
		_ = w.Receive("web", "disk", 2, "full\n\n")
		time.Sleep(4 * time.Second)
		_ = w.Receive("web", "disk", 2, "full\n\n")
		time.Sleep(10 * time.Second)
		_ = w.Receive("other", "ping", 1, "dead\n\n")
		w.expect(t, "25s web:disk trap 2 full", "29s web:disk trap 2 full", "34s web:disk lapsed", "39s default:default trap 1 deadother:ping")
		w.Apply(map[string]probe.Trap{"web:disk": {}}, nil)
		if err := w.Receive("other", "ping", 1, ""); !errors.As(err, new(ErrNoService)) {
			t.Errorf("a trap for nobody: %v", err)
		}
	})
}

// What was known before an upgrade goes on, with its times.
func TestTrapsOverUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		services := map[string]probe.Trap{"a:b": {Silence: 10 * time.Second, Lasts: 6 * time.Second}}
		before := newTrapWorld()
		before.Apply(services, nil)
		time.Sleep(2 * time.Second)
		_ = before.Receive("a", "b", 3, "x\n")
		time.Sleep(2 * time.Second)
		saved := before.Save()
		before.Close()
		after := newTrapWorld()
		defer after.Close()
		after.Apply(services, saved)
		if status, _, ok := after.Latest("a:b"); status != 3 || !ok {
			t.Errorf("status %d %v", status, ok)
		}
		time.Sleep(9 * time.Second)
		after.expect(t, "4s a:b lapsed", "8s a:b traptimeout 1 trap timeout")
	})
}

// A failure because no trap came goes on over an upgrade: the time of no trap is over.
func TestMissingTrapOverUpgrade(t *testing.T) {
	for _, first := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			services := map[string]probe.Trap{"a:b": {Silence: 10 * time.Second, Lasts: 6 * time.Second}}
			before := newTrapWorld()
			before.Apply(services, nil)
			if first {
				_ = before.Receive("a", "b", 0, "")
			}
			time.Sleep(11 * time.Second)
			saved := before.Save()
			before.Close()
			after := newTrapWorld()
			defer after.Close()
			after.Apply(services, saved)
			time.Sleep(time.Second)
			after.expect(t)
			if status, _, _ := after.Latest("a:b"); status != 1 {
				t.Errorf("a trap had come before: %v; status %d", first, status)
			}
		})
	}
}

// A trap that comes when its time is just over wins.
func TestTrapAtTheLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrapWorld()
		defer w.Close()
		w.Apply(map[string]probe.Trap{"a:b": {Silence: 10 * time.Second, Lasts: 10 * time.Second}}, nil)
		_ = w.Receive("a", "b", 2, "")
		w.told = nil
		w.Traps.mu.Lock() // what Receive does, while the timers that have fired wait for it
		time.Sleep(10 * time.Second)
		v := w.all["a:b"]
		v.saved.At = time.Now()
		w.arm("a:b", v, time.Now())
		w.Traps.mu.Unlock()
		time.Sleep(time.Second)
		w.expect(t)
	})
}
