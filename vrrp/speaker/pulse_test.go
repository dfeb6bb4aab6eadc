package speaker

import (
	"errors"
	"testing"
	"time"
)

// refuse has the port refuse all frames with err, or take them again.
func (p *fakePort) refuse(err error) {
	p.lan.mu.Lock()
	defer p.lan.mu.Unlock()
	p.error = err
}

func (h *host) pulse(t *testing.T) Pulse {
	t.Helper()
	answer := make(chan Pulse, 1)
	if !h.Pulse(func(p Pulse) { answer <- p }) {
		t.Fatal("the loop has ended")
	}
	return <-answer
}

func TestPulseOfRefusedAdverts(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v")
		b.begin(t, "", 100, "v")
		time.Sleep(10*time.Second + 500*time.Millisecond)
		for name, h := range map[string]*host{"MASTER": a, "BACKUP": b} {
			if got := h.pulse(t); got != (Pulse{}) {
				t.Errorf("%s: %+v", name, got)
			}
		}
		before := l.last(a).at
		a.port.refuse(errors.New("no buffer space available"))
		time.Sleep(5 * time.Second)
		if got, want := a.pulse(t), (Pulse{Refused: time.Since(before) - time.Second}); got != want {
			t.Errorf("refused: %+v, want %+v", got, want)
		}
		a.port.refuse(nil)
		time.Sleep(time.Second)
		if got := a.pulse(t); got != (Pulse{}) {
			t.Errorf("taken again: %+v", got)
		}
	})
}

// A director whose last advert was refused, and that is BACKUP since, has nothing to send.
func TestPulseOfBackupThatWasRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "", 100, "v")
		time.Sleep(10 * time.Second)
		a.port.refuse(errors.New("network is down"))
		time.Sleep(3 * time.Second)
		if got := a.pulse(t); got.Refused == 0 {
			t.Fatalf("refused: %+v", got)
		}
		l.host(t, "192.0.2.2").begin(t, "", 200, "v")
		time.Sleep(10 * time.Second)
		if got := a.pulse(t); got != (Pulse{}) {
			t.Errorf("BACKUP: %+v", got)
		}
	})
}

// A group that waits for its turn is late.
func TestPulseOfLateGroup(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		a.begin(t, "", 100, "v")
		time.Sleep(10 * time.Second)
		var got Pulse
		if err := a.do(func(now time.Time) { got = a.Speaker.pulse(now.Add(3 * time.Second)) }); err != nil {
			t.Fatal(err)
		}
		if got.Late < 2*time.Second || got.Late > 3*time.Second {
			t.Errorf("%+v", got)
		}
	})
}
