package speaker

import (
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// A tick is a companion that is due at some times, and gives a command at each.
type tick struct {
	speaker *Speaker
	due     []time.Time
	turns   []time.Time
	ran     []time.Time // the commands
}

func (k *tick) Deadline() (first time.Time) {
	if len(k.due) > 0 {
		first = k.due[0]
	}
	return first
}

func (k *tick) Turn() {
	now := time.Now()
	k.turns = append(k.turns, now)
	for len(k.due) > 0 && !k.due[0].After(now) {
		k.due = k.due[1:]
		k.speaker.enqueue(func(now time.Time) { k.ran = append(k.ran, now) })
	}
}

// The loop serves a companion at its deadlines, and carries out at once what it asks
// for.
func TestCompanion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &lan{}
		begin := time.Now()
		at := begin.Add
		k := &tick{due: []time.Time{at(time.Second), at(3 * time.Second)}}
		k.speaker = New(Options{
			Port: l.port("192.0.2.1"), Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
			Order: func([]Order) {}, Report: func(Report) {}, Companion: k,
		})
		ended := make(chan error)
		go func() { ended <- k.speaker.Run() }()
		time.Sleep(10 * time.Second)
		k.speaker.Quit()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if len(k.ran) != 2 || !k.ran[0].Equal(at(time.Second)) || !k.ran[1].Equal(at(3*time.Second)) {
			t.Errorf("commands at %v, want 1s and 3s after %v", k.ran, begin)
		}
		if len(k.turns) > 6 {
			t.Errorf("it had %d turns", len(k.turns))
		}
	})
}
