package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"

	"holdfast/cmd/internal/event"
	"holdfast/netdev/statefile"
)

// Content is what a journal file and its predecessor hold.
type Content struct {
	Starts []event.Start // oldest first
	Events []event.Event // without their cursors; the numbers grow
	// Damaged is how many lines could not be read; the beginning of a file that is far
	// too large counts as one. A last line that a crash tore is not counted.
	Damaged int
}

// Last returns the number of the last event.
func (c *Content) Last() uint64 {
	var last uint64
	if n := len(c.Starts); n > 0 {
		last = c.Starts[n-1].After
	}
	if n := len(c.Events); n > 0 {
		last = max(last, c.Events[n-1].Seq)
	}
	return last
}

// Newest returns at most so many events from the end, among which no number is missing.
func (c *Content) Newest(most int) []event.Event {
	from := len(c.Events)
	for from > 0 && len(c.Events)-from < most {
		if from < len(c.Events) && c.Events[from-1].Seq+1 != c.Events[from].Seq {
			break
		}
		from--
	}
	return c.Events[from:]
}

func former(path string) string { return path + ".1" }

// maxRead is how many bytes at the end of a file are read: what the Writer leaves is
// smaller, and a file that somebody else made must not fill the memory.
const maxRead = 4 * maxSize

// Read reads the file at path and its predecessor. A file that does not exist is empty.
func Read(path string) (*Content, error) {
	c := &Content{}
	for _, name := range []string{former(path), path} {
		text, all, err := statefile.ReadEnd(name, maxRead)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil && !all {
			c.Damaged++ // what is before the end
			_, text, _ = bytes.Cut(text, []byte("\n"))
		}
		c.parse(text)
	}
	return c, nil
}

// A line is a line of the file. Start is set in the line of a start.
type line struct {
	Start *string `json:"start"`
	After uint64  `json:"after"`
	event.Event
}

func (c *Content) parse(text []byte) {
	for len(text) > 0 {
		one, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		var l line
		switch err := json.Unmarshal(one, &l); {
		case err != nil && !whole: // torn by a crash
		case err != nil:
			c.Damaged++
		case l.Start != nil && len(c.Starts) > 0 && c.Starts[len(c.Starts)-1].ID == *l.Start: // in each file again
		case l.Start != nil:
			if l.After < c.Last() { // a daemon that did not know the file counted anew
				*c = Content{Damaged: c.Damaged}
			}
			c.Starts = append(c.Starts, event.Start{ID: *l.Start, After: l.After})
		case l.Seq <= c.newest():
			c.Damaged++ // a number twice, which no writer writes
		default:
			c.Events = append(c.Events, l.Event)
		}
	}
}

func (c *Content) newest() uint64 {
	if n := len(c.Events); n > 0 {
		return c.Events[n-1].Seq
	}
	return 0
}
