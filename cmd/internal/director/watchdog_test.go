package director

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/vrrp/speaker"
)

// recordedManager counts what it is told.
type recordedManager struct {
	noManager
	alive atomic.Int64
	text  []string
}

func (m *recordedManager) Alive()                  { m.alive.Add(1) }
func (m *recordedManager) Status(text string)      { m.text = append(m.text, text) }
func (m *recordedManager) Watchdog() time.Duration { return 20 * time.Second }

// watched runs a watchdog for so long, with a VRRP loop that answers as pulse says and a
// director's loop that hangs after a time. It returns how often it was fed, and the log.
func watched(t *testing.T, span, hangs time.Duration, pulse func(age time.Duration) (p speaker.Pulse, answers bool)) (fed int64, log string) {
	synctest.Test(t, func(t *testing.T) {
		b, r := alone(t)
		m := &recordedManager{}
		start := time.Now()
		w := &watchdog{base: b, manager: m, pulse: func(answer func(speaker.Pulse)) bool {
			if p, answers := pulse(time.Since(start)); answers {
				answer(p)
			}
			return true
		}}
		ctx, cancel := context.WithTimeout(t.Context(), span)
		defer cancel()
		loop, end := context.WithTimeout(ctx, hangs)
		defer end()
		go r.mail.work(loop.Done())
		w.run(ctx)
		fed, log = m.alive.Load(), r.log.String()
	})
	return fed, log
}

func TestWatchdog(t *testing.T) {
	const span = 61 * time.Second // 12 periods of 5 s, and one at the start
	well := func(time.Duration) (speaker.Pulse, bool) { return speaker.Pulse{}, true }
	after := func(when time.Duration, p speaker.Pulse, answers bool) func(time.Duration) (speaker.Pulse, bool) {
		return func(age time.Duration) (speaker.Pulse, bool) {
			if age > when {
				return p, answers
			}
			return speaker.Pulse{}, true
		}
	}
	tests := []struct {
		name  string
		hangs time.Duration
		pulse func(time.Duration) (speaker.Pulse, bool)
		fed   int64
		log   string
	}{
		{"all is well", time.Hour, well, 13, ""},
		{"the director's loop hangs", 31 * time.Second, well, 7, "a loop has not come round for 5s"},
		{"the VRRP loop hangs", time.Hour, after(31*time.Second, speaker.Pulse{}, false), 7, "a loop has not come round for 5s"},
		{"adverts are late", time.Hour, after(31*time.Second, speaker.Pulse{Late: 6 * time.Second}, true), 7, "adverts have been due for 6s"},
		{"adverts are refused", time.Hour, after(31*time.Second, speaker.Pulse{Refused: 6 * time.Second}, true), 7, "no interface has taken an advert for 6s"},
		{"a refusal that may pass", time.Hour, after(31*time.Second, speaker.Pulse{Refused: 3 * time.Second}, true), 13, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fed, log := watched(t, span, tt.hangs, tt.pulse)
			if fed != tt.fed {
				t.Errorf("fed %d times, want %d", fed, tt.fed)
			}
			if tt.log == "" && log != "" || !strings.Contains(log, tt.log) || strings.Count(log, "\n") > 1 {
				t.Errorf("log %q, want one line with %q", log, tt.log)
			}
		})
	}
}

// A watchdog that was not fed is fed again once adverts go out.
func TestWatchdogIsFedAgain(t *testing.T) {
	fed, log := watched(t, 61*time.Second, time.Hour, func(age time.Duration) (speaker.Pulse, bool) {
		if age > 11*time.Second && age < 26*time.Second {
			return speaker.Pulse{Refused: 6 * time.Second}, true
		}
		return speaker.Pulse{}, true
	})
	if fed != 10 || !strings.Contains(log, "the watchdog is fed again") {
		t.Errorf("fed %d times, log %q", fed, log)
	}
}

// Many changes make one line, and a line that says what the last one said is not sent.
func TestManagedSaysChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, r := alone(t)
		manager, text := &recordedManager{}, "BACKUP of a"
		m := &managed{base: b, manager: manager, text: func() string { return text }}
		go r.mail.work(t.Context().Done())
		do := func(f func()) {
			b.post(f)
			time.Sleep(time.Second)
			synctest.Wait()
		}
		do(func() {
			for range 1000 {
				m.handle(&event.Event{Kind: event.KindInstance})
			}
		})
		do(func() {
			m.handle(&event.Event{Kind: event.KindService})
			m.handle(&event.Event{Kind: event.KindRepair})
		})
		do(func() {
			text = "MASTER of a"
			m.handle(&event.Event{Kind: event.KindInstance})
		})
		if got := strings.Join(manager.text, ", "); got != "BACKUP of a, MASTER of a" {
			t.Errorf("said %q", got)
		}
	})
}
