package notify

import (
	"context"
	"log/slog"

	"holdfast/cmd/internal/event"
)

// A LeftAlert is an alert whose program runs while the binary is replaced.
type LeftAlert struct {
	Event event.Whole `json:"event"`
	Done  int         `json:"done,omitempty"` // calls before that of the program
	Path  string      `json:"path"`           // of the program
	Run   LeftRun     `json:"run"`

	hand *alertInHand // in the same binary
}

// PIDs returns the processes that a sink has left.
func (l *LeftSink) PIDs() []int {
	if l.Alert == nil {
		return nil
	}
	return []int{l.Alert.Run.PID}
}

// leave implements leaver.
func (p *AlertProgram) leave(l *LeftSink) {
	if h := p.hand; h != nil && h.run != nil {
		l.Alert = &LeftAlert{Event: event.Whole(h.event), Done: h.done, Path: h.run.path, Run: *h.run.leave(), hand: h}
	}
}

// takeOver implements leaver.
func (p *AlertProgram) takeOver(l *LeftSink) {
	a := l.Alert
	if a == nil {
		return
	}
	if a.hand != nil { // there was no upgrade after all
		p.hand = a.hand
		return
	}
	p.hand = &alertInHand{event: event.Event(a.Event), done: a.Done}
	var err error
	if p.hand.run, err = a.Run.takeOver(a.Path, p.scriptLog(a.Path)); err != nil {
		p.o.Log.Error("the program of an alert failed", "script", a.Path, "err", err)
		l.Status.Failed++
		p.hand.done++
	}
}

// handOn implements leaver.
func (p *AlertProgram) handOn() {
	if h := p.hand; h != nil && h.run != nil {
		h.run.output.handOn()
	}
}

// keep implements leaver.
func (p *AlertProgram) keep() {
	if h := p.hand; h != nil && h.run != nil {
		h.run.output.keep()
	}
}

// Abandon sees to the end of a program whose sink is not configured any more. What it was
// to be called for beside is dropped.
func (l *LeftSink) Abandon(log *slog.Logger) {
	p := NewAlertProgram(AlertProgramOptions{Log: log})
	p.takeOver(l)
	if p.hand != nil && p.hand.run != nil {
		go func() { _ = p.call(context.Background(), nil) }() // whose result nobody waits for
	}
}
