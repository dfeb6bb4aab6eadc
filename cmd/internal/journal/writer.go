package journal

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/cmd/internal/event"
)

const (
	maxBatch = 256 // events that are written at once
	// The pauses between two attempts to write, which double.
	firstPause = time.Second
	maxPause   = time.Minute
)

// A Writer writes the events of the journal in memory to a file.
type Writer struct {
	path    string
	limit   int64
	events  *event.Journal
	start   event.Start // this daemon's
	begun   bool        // the line of start is in the file
	trouble func(error)

	file    *file
	written atomic.Uint64 // the number of the last event in the file
	stop    context.CancelFunc
	ended   chan struct{}
}

// Options say what a Writer writes.
type Options struct {
	Path   string
	Events *event.Journal
	// Start is the start of this daemon. Written is the number of the last event that
	// the file has.
	Start   event.Start
	Written uint64
	// Trouble is called, in the goroutine of the Writer, when writing fails or fails for
	// another reason, and with nil when it works again.
	Trouble func(error)
}

// NewWriter returns a Writer whose goroutine runs until Close.
func NewWriter(o Options) *Writer { return newWriter(o, maxSize) }

func newWriter(o Options, limit int64) *Writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{
		path: o.Path, limit: limit, events: o.Events, start: o.Start, trouble: o.Trouble,
		stop: stop, ended: make(chan struct{}),
	}
	w.written.Store(o.Written)
	go w.run(ctx)
	return w
}

// Written returns the number of the last event in the file.
func (w *Writer) Written() uint64 { return w.written.Load() }

// Close writes what is left and ends the Writer. It waits no longer than timeout: a disk
// that does not answer must not keep the daemon.
func (w *Writer) Close(timeout time.Duration) error {
	w.stop()
	late := time.NewTimer(timeout)
	defer late.Stop()
	select {
	case <-w.ended:
		return nil
	case <-late.C:
		return fmt.Errorf("write %s: the disk does not answer", w.path)
	}
}

func (w *Writer) run(ctx context.Context) {
	defer close(w.ended)
	defer func() {
		if w.file != nil {
			_ = w.file.close() // all that was written is on the disk
		}
	}()
	var said error
	for pause := firstPause; ; {
		events := w.events.Follow(ctx, w.written.Load(), maxBatch)
		if events == nil { // the end: what is left is written now, without another attempt
			events = w.events.Next(w.written.Load(), maxBatch)
		}
		if len(events) == 0 {
			return
		}
		err := w.write(events)
		if fmt.Sprint(err) != fmt.Sprint(said) {
			said = err
			w.trouble(err)
		}
		switch {
		case err == nil:
			pause = firstPause
		case !wait(ctx, pause):
			return
		default:
			pause = min(2*pause, maxPause)
		}
	}
}

// write writes a batch of events, to a new file if the present one is full.
func (w *Writer) write(events []event.Event) error {
	err := w.prepare()
	if err == nil {
		err = w.file.write(events)
	}
	if err != nil {
		if w.file != nil && w.file.f == nil {
			w.file = nil // it is opened again
		}
		return fmt.Errorf("write the journal of events: %w", err)
	}
	w.written.Store(events[len(events)-1].Seq)
	return nil
}

// prepare opens the file, or replaces a full one. Each file says which start its events
// belong to.
func (w *Writer) prepare() (err error) {
	if w.file != nil && !w.file.there() { // somebody removed or replaced it
		_ = w.file.close()
		w.file, w.begun = nil, false
	}
	if w.file == nil {
		f, err := openFile(w.path, w.limit)
		if err != nil {
			return err
		}
		w.file = f
	}
	if w.file.full() {
		if err = w.file.rotate(); err != nil {
			return err
		}
		w.begun = false
	}
	if !w.begun {
		err = w.file.begin(w.start)
		w.begun = err == nil
	}
	return err
}

// wait reports whether d passed before ctx was done.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
