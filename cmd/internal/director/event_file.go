package director

import (
	"crypto/rand"
	"fmt"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/journal"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

const (
	// eventFileTimeout bounds the waits for the disk at a start and at the end.
	eventFileTimeout = 2 * time.Second
	// maxStarts is how many starts of the daemon the journal knows.
	maxStarts = 64
)

// A savedJournal is what a binary leaves of the journal file.
type savedJournal struct {
	Starts  []event.Start `json:"starts,omitempty"`
	Written uint64        `json:"written,omitempty"` // number of the last event in the file
}

// eventFile is the subsystem that keeps the journal in a file, over restarts.
type eventFile struct {
	base
	events   *event.Journal
	problems func([]status.Problem)

	path    string // "": the journal is only in memory
	starts  []event.Start
	written uint64        // number of the last event in the file while there is no writer
	before  []event.Event // of the runs before, until they are in the journal
	begun   bool          // the journal is complete, and may be written
	writer  optional[journal.Writer]
	failed  error // why there is no writer
}

// openJournal makes the journal, which goes on from the former binary or from the file.
func (d *Director) openJournal() {
	f := &eventFile{base: d.base(), path: d.opts.Config.Director.Journal}
	f.problems = func(all []status.Problem) { d.problems.set("event file", all) }
	last := d.inherited.Seq
	if saved := d.inherited.Journal; len(saved.Starts) > 0 {
		f.starts, f.written = saved.Starts, saved.Written
	} else if f.path != "" {
		last = max(last, f.load(d.inherited.At != 0))
	}
	var random [6]byte
	rand.Read(random[:])
	f.starts = append(f.starts, event.NewStart(random, last))
	f.starts = f.starts[max(0, len(f.starts)-maxStarts):]
	d.journal = event.NewJournal(journalSize, last)
	d.journal.SetStarts(f.starts)
	f.events, d.eventFile = d.journal, f
}

// load reads the file, and returns the number of the last event in it. Over an upgrade
// the former binary leaves the events.
func (f *eventFile) load(upgrade bool) uint64 {
	content, err := readJournal(f.path)
	if err != nil {
		f.failed = fmt.Errorf("events are not kept over a restart, and those before are not known: %w", err)
		return 0
	}
	if content.Damaged > 0 {
		f.log.Warn("lines of the journal file are left out", "path", f.path, "lines", content.Damaged)
	}
	f.starts, f.written = content.Starts, content.Last()
	if !upgrade {
		f.before = content.Newest(journalSize)
	}
	return f.written
}

// readJournal reads the file, and gives up if the disk does not answer.
func readJournal(path string) (*journal.Content, error) {
	type answer struct {
		content *journal.Content
		err     error
	}
	answers := make(chan answer, 1)
	go func() {
		content, err := journal.Read(path)
		answers <- answer{content, err}
	}()
	select {
	case a := <-answers:
		return a.content, a.err
	case <-time.After(eventFileTimeout):
		return nil, fmt.Errorf("read %s: the disk does not answer", path)
	}
}

// begin puts the events of the runs before in front of the journal, and has it written.
func (f *eventFile) begin() {
	if err := f.events.Prepend(f.before); err != nil {
		f.log.Warn("the events before this start are not shown", "path", f.path, "err", err)
	}
	f.before, f.begun = nil, true
	f.tell(f.failed)
	f.write()
}

func (f *eventFile) write() {
	if f.path == "" || f.failed != nil || !f.begun || f.writer.value != nil {
		return
	}
	f.writer.value = journal.NewWriter(journal.Options{
		Path: f.path, Events: f.events, Start: f.starts[len(f.starts)-1], Written: f.written,
		Trouble: func(err error) { f.post(func() { f.tell(err) }) },
	})
}

func (f *eventFile) apply(c *conf.Config) {
	// A reload also tries a file again that could not be read: whoever reloads may have
	// mended it.
	if path := c.Director.Journal; path != f.path || f.failed != nil && f.begun {
		f.end()
		f.path, f.failed = path, nil
		f.tell(nil)
	}
	f.write()
}

func (f *eventFile) tell(err error) {
	if err == nil {
		f.problems(nil)
		return
	}
	f.problems([]status.Problem{{Kind: "journal", Name: "events", Text: err.Error()}})
}

// end writes what is left.
func (f *eventFile) end() {
	f.writer.take(func(w *journal.Writer) {
		if err := w.Close(eventFileTimeout); err != nil {
			f.log.Warn("events may be lost", "err", err)
		}
		f.written = w.Written()
	})
}

func (f *eventFile) suspend() { f.end() }

func (f *eventFile) save(u *upgradeState) { u.Journal = savedJournal{f.starts, f.written} }

func (f *eventFile) close() { f.end() }
