package status

import (
	"fmt"
	"strings"
	"time"
)

// Fast is what a virtual router with fast = true knows of the BFD sessions by which a
// dead MASTER is replaced at once.
type Fast struct {
	// Armed is true if the virtual router is BACKUP and takes over as soon as the session
	// with Peer, the MASTER, is lost and it does not answer.
	Armed bool   `json:"armed"`
	Peer  string `json:"peer,omitempty"`
	// Why is the reason why a BACKUP is not armed and replaces its MASTER as VRRP alone
	// does.
	Why string `json:"why,omitempty"`
	// Until is when a session counts again that went down although the MASTER was alive.
	Until time.Time `json:"until,omitzero"`
	// Backups are the routers on the interface that have a session with this one, if it
	// is MASTER.
	Backups []string `json:"backups,omitempty"`
	// IntervalMS is the time between two packets of the session at most, in
	// milliseconds: what both routers have agreed on if Armed is true or there are Backups,
	// of which the slowest counts, and otherwise what is configured here.
	IntervalMS float64 `json:"interval_ms"`
	Multiplier int     `json:"multiplier"` // packets that may be missing in a row
	Takeovers  uint64  `json:"takeovers"`  // from a MASTER whose session was lost
	Flaps      uint64  `json:"flaps"`      // sessions lost although the MASTER was alive
	// QuestionsSent and QuestionsReceived are BACKUP ADVERTISEMENTS: questions whether the
	// MASTER is alive, and answers.
	QuestionsSent     uint64 `json:"questions_sent"`
	QuestionsReceived uint64 `json:"questions_received"`
}

// text says in what way a dead MASTER is replaced.
func (f *Fast) text(state string, now time.Time) string {
	detection := fmt.Sprintf("%d × %s", f.Multiplier, milliseconds(f.IntervalMS))
	switch {
	case f.Armed:
		return fmt.Sprintf("fast: armed with %s (%s)", f.Peer, detection)
	case state == "MASTER" && len(f.Backups) > 0:
		return fmt.Sprintf("fast: watched by %s (%s)", strings.Join(f.Backups, " "), detection)
	case state == "MASTER":
		return "fast: no BACKUP has a BFD session with this MASTER"
	case f.Until.After(now):
		return fmt.Sprintf("plain VRRP for another %s, because %s", f.Until.Sub(now).Round(time.Second), f.Why)
	case f.Why != "":
		return "plain VRRP, because " + f.Why
	}
	return "fast: takes part when it is BACKUP"
}
