package lab

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Event is an entry of the journal of `holdfast events`.
type Event struct {
	Seq     uint64    `json:"seq"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	Subject string    `json:"subject"`
	From    string    `json:"from"`
	To      string    `json:"to"`
	Reason  string    `json:"reason"`

	Detail map[string]string `json:"detail"`
}

// String is the event as one line.
func (e Event) String() string {
	return fmt.Sprintf("%s %s %s %s->%s %s", e.At.Format("15:04:05.000"), e.Kind, e.Subject, e.From, e.To, e.Reason)
}

// A Journal is a list of events, in order.
type Journal []Event

// Transitions are the changes of state of virtual routers and groups.
func (j Journal) Transitions() Journal { return j.Of("instance", "group") }

// Of are the events of some kinds.
func (j Journal) Of(kinds ...string) Journal {
	var some Journal
	for _, e := range j {
		for _, kind := range kinds {
			if e.Kind == kind {
				some = append(some, e)
			}
		}
	}
	return some
}

// Last is the number of the newest event, 0 without any.
func (j Journal) Last() uint64 {
	if len(j) == 0 {
		return 0
	}
	return j[len(j)-1].Seq
}

// String lists the events, one a line.
func (j Journal) String() string {
	var lines []string
	for _, e := range j {
		lines = append(lines, e.String())
	}
	return strings.Join(lines, "\n")
}

// Events asks the daemon for the events after the number since.
func (d *Daemon) Events(since uint64) (Journal, error) {
	stdout, stderr, err := d.CLI("events", "--json", "--since", fmt.Sprint(since))
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr))
	}
	return ReadJournal(stdout)
}

// ReadJournal decodes the output of `holdfast events --json`.
func ReadJournal(text string) (Journal, error) {
	var j Journal
	for decoder := json.NewDecoder(strings.NewReader(text)); decoder.More(); {
		var e Event
		if err := decoder.Decode(&e); err != nil {
			return nil, fmt.Errorf("decode an event: %w", err)
		}
		j = append(j, e)
	}
	return j, nil
}

// A Follower is `holdfast events --follow`.
type Follower struct{ *Process }

// Follow follows the daemon's journal from its beginning.
func (d *Daemon) Follow() *Follower {
	d.host.lab.t.Helper()
	p, err := d.host.start(d.host.Name+d.suffix+"-events", d.binary, []string{"events", "--follow", "--json", "--socket", d.socket})
	if err != nil {
		d.host.lab.t.Fatalf("host %s: follow the events: %v", d.host.Name, err)
	}
	return &Follower{p}
}

// Read returns what has come so far.
func (f *Follower) Read() (Journal, error) {
	text := f.LogText()
	return ReadJournal(text[:strings.LastIndexByte(text, '\n')+1])
}

// StatusInto asks the daemon for its status and decodes of it what the
// structure at into has.
func (d *Daemon) StatusInto(into any) error {
	stdout, stderr, err := d.CLI("status", "--json")
	if stdout == "" && err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr))
	}
	if err := json.Unmarshal([]byte(stdout), into); err != nil {
		return fmt.Errorf("decode status: %w", err)
	}
	return nil
}
