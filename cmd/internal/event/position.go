package event

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A Position is a place in the journal, which a reader names.
type Position struct {
	Seq uint64 // after the event with this number; 0: from the beginning
	// Start is the start that the number belongs to; "": the number counts as it is.
	Start string
	// Time, if it is set, is used in place of the number: from the first event at or
	// after it.
	Time time.Time
}

// ParsePosition reads the number of an event, a cursor or a time in RFC 3339.
func ParsePosition(text string) (Position, error) {
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		return Position{Seq: seq}, nil
	}
	if start, number, ok := strings.Cut(text, ":"); ok && len(start) == startLength {
		if seq, err := strconv.ParseUint(number, 10, 64); err == nil {
			return Position{Start: start, Seq: seq}, nil
		}
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return Position{Time: at}, nil
	}
	return Position{}, fmt.Errorf("%q is not the number of an event, a cursor or a time", text)
}

// String returns the text that ParsePosition reads.
func (p Position) String() string {
	switch {
	case !p.Time.IsZero():
		return p.Time.Format(time.RFC3339Nano)
	case p.Start != "":
		return p.Start + ":" + strconv.FormatUint(p.Seq, 10)
	}
	return strconv.FormatUint(p.Seq, 10)
}

// startLength is the length of Start.ID.
const startLength = 12

// A Start is a start of the daemon as the journal knows it. The numbers of events go on
// from start to start. But what was not written before a crash is lost, and its numbers
// are used again: a cursor therefore names the start too.
type Start struct {
	ID    string `json:"start"`
	After uint64 `json:"after"` // the number of the last event before it
}

// NewStart returns a Start that no other is equal to. Random bytes make it so.
func NewStart(random [6]byte, after uint64) Start {
	return Start{fmt.Sprintf("%x", random), after}
}

// unknownStart is the number that resolve returns for a start that the journal does
// not know.
const unknownStart = math.MaxUint64

// Cursor returns the cursor of the event seq; "" if no start is known.
func Cursor(starts []Start, seq uint64) string {
	for i := len(starts) - 1; i >= 0; i-- {
		if s := starts[i]; seq > s.After || i == 0 {
			return Position{Start: s.ID, Seq: seq}.String()
		}
	}
	return ""
}

// resolve returns the number after which p is, by the starts and the number of the
// newest event.
func (p Position) resolve(starts []Start, last uint64) uint64 {
	if p.Start == "" {
		return p.Seq
	}
	for i, s := range starts {
		if s.ID != p.Start {
			continue
		}
		if i+1 < len(starts) {
			last = starts[i+1].After
		}
		return min(p.Seq, last)
	}
	return unknownStart
}

// After returns the events of a list after p; events have numbers that grow. The first
// is a KindLost event where Journal.Since would have one.
func After(events []Event, starts []Start, p Position) []Event {
	if len(events) == 0 {
		return nil
	}
	if !p.Time.IsZero() {
		p = Position{Seq: before(events, p.Time)}
	}
	seq := p.resolve(starts, events[len(events)-1].Seq)
	if seq == unknownStart {
		return append([]Event{anew(seq, events[0])}, events...)
	}
	for i := range events {
		if events[i].Seq > seq {
			return events[i:]
		}
	}
	return nil
}

// before returns the number before that of the first event at or after a time.
func before(events []Event, at time.Time) uint64 {
	for i := range events {
		if !events[i].At.Before(at) {
			return events[i].Seq - 1
		}
	}
	return events[len(events)-1].Seq
}

// anew is the mark before the events of a journal that does not know what a reader
// knows.
func anew(seq uint64, next Event) Event {
	e := Event{Kind: KindLost, Seq: next.Seq - 1, At: next.At}
	if seq == unknownStart {
		e.Reason = "the cursor is of a journal that is gone: all events of this one follow"
	} else {
		e.Reason = fmt.Sprintf("the journal begins anew: it has not come to %d", seq)
	}
	return e
}
