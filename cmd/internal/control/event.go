package control

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// The kinds of Event.
const (
	KindInstance = "instance" // a virtual router went from a state to another
	KindGroup    = "group"    // a sync group did
	KindService  = "service"
	KindServer   = "server"
	KindRival    = "rival"    // another router speaks as MASTER beside us, or is silent again
	KindPriority = "priority" // the priority in force of a virtual router is another one
	KindTracker  = "tracker"  // something that instances track is up, down, or another number
	KindBFD      = "bfd"      // a session of Bidirectional Forwarding Detection came up or fell
	KindRepair   = "repair"   // something that somebody else had changed was mended
	KindConfig   = "config"   // a reload, done or refused
	KindNotify   = "notify"   // a script that failed
	KindDirector = "director" // the daemon itself: an upgrade, done or failed
	// KindLost marks a gap: events that were overwritten before this reader
	// came to them, or a journal that began anew.
	KindLost = "lost"
)

// What an Event of KindRival tells. Its Detail has address, priority and, if it
// is known, mac.
const (
	RivalSeen = "seen"
	RivalGone = "gone"
)

// An Event is an entry of the journal.
type Event struct {
	Seq     uint64            `json:"seq"` // counts from 1 since the daemon was started, through upgrades
	At      time.Time         `json:"at"`
	Kind    string            `json:"kind"`
	Subject string            `json:"subject,omitempty"` // name of the instance, group, service; "service/server"
	From    string            `json:"from,omitempty"`
	To      string            `json:"to,omitempty"`
	Reason  string            `json:"reason,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// String returns the event as one line:
//
//	2026-03-01T12:00:00.000+01:00 instance outside BACKUP -> MASTER: no advert heard (priority=150)
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.At.Format("2006-01-02T15:04:05.000Z07:00"))
	b.WriteString(" " + e.Kind)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	switch {
	case e.From != "" && e.To != "":
		b.WriteString(" " + e.From + " -> " + e.To)
	case e.To != "":
		b.WriteString(" " + e.To)
	}
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if len(e.Detail) > 0 {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(e.Detail)) {
			pairs = append(pairs, key+"="+e.Detail[key])
		}
		b.WriteString(" (" + strings.Join(pairs, " ") + ")")
	}
	return b.String()
}

// An EventLog is the journal of events: a ring in memory. Appending never
// waits for readers; a reader that is too slow finds a KindLost event where
// entries were overwritten. Its methods may be called from any goroutine.
type EventLog struct {
	mu      sync.Mutex
	ring    []Event       // entry of seq is at (seq-1) % len
	first   uint64        // seq of the oldest that it ever had
	last    uint64        // seq of the newest; first-1 if none
	arrived chan struct{} // closed and forgotten at the next Append; nil if nobody waits
}

// NewEventLog returns a journal that keeps the newest size events. Its numbers go
// on after last, that of a former process's newest; 0: there was none.
func NewEventLog(size int, last uint64) *EventLog {
	return &EventLog{ring: make([]Event, size), first: last + 1, last: last}
}

// Last returns the number of the newest event.
func (l *EventLog) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// Prepend puts the events that a former process kept before those that there are.
// They must lead up to these without a gap; as many of them are taken as there is
// room for.
func (l *EventLog) Prepend(events []Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if want := l.first - uint64(len(events)-i); events[i].Seq != want || want == 0 {
			return fmt.Errorf("event %d is where %d should be", events[i].Seq, want)
		}
	}
	size := uint64(len(l.ring))
	for _, e := range events {
		if l.last-e.Seq < size {
			l.ring[(e.Seq-1)%size] = e
		}
	}
	l.first -= uint64(len(events))
	return nil
}

// Append adds e and returns its Seq. The caller sets the other fields and does
// not touch e.Detail afterwards.
func (l *EventLog) Append(e Event) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Seq = l.last
	l.ring[(e.Seq-1)%uint64(len(l.ring))] = e
	if l.arrived != nil {
		close(l.arrived)
		l.arrived = nil
	}
	return e.Seq
}

// Since returns the events after seq, oldest first; 0 asks for all. If some of
// these are gone, the first that is returned is a KindLost event. So it is if
// seq was never reached, which tells of a journal from before a restart: then
// all of the present one follow.
func (l *EventLog) Since(seq uint64) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since(seq)
}

func (l *EventLog) since(seq uint64) []Event {
	if seq == l.last || l.last < l.first {
		return nil
	}
	size := uint64(len(l.ring))
	oldest, gone := l.first, "lost in an upgrade"
	if l.last-l.first >= size {
		oldest, gone = l.last-size+1, "overwritten"
	}
	var events []Event
	switch {
	case seq > l.last:
		events = append(events, Event{
			Kind: KindLost, Reason: fmt.Sprintf("the journal begins anew: it has not come to %d", seq),
		})
		seq = 0
	case seq != 0 && seq+1 < oldest:
		events = append(events, Event{
			Kind: KindLost, Reason: fmt.Sprintf("%d events were %s", oldest-seq-1, gone),
		})
	}
	for i := max(seq+1, oldest); i <= l.last; i++ {
		events = append(events, l.ring[(i-1)%size])
	}
	if events[0].Seq == 0 { // a marker: resuming after it finds what follows it
		events[0].Seq, events[0].At = events[1].Seq-1, events[1].At
	}
	return events
}

// Follow is Since that waits until there is something to return. It returns
// nil when ctx is done.
func (l *EventLog) Follow(ctx context.Context, seq uint64) []Event {
	for {
		l.mu.Lock()
		if events := l.since(seq); events != nil {
			l.mu.Unlock()
			return events
		}
		if l.arrived == nil {
			l.arrived = make(chan struct{})
		}
		arrived := l.arrived
		l.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
			return nil
		}
	}
}
