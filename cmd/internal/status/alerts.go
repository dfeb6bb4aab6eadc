package status

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// An Alert is a failure that a rule for alerts is about. It is there from the failure
// to the recovery, whether or not a message was sent.
type Alert struct {
	Rule     string    `json:"rule"`
	Kind     string    `json:"kind"` // of the event that reported the failure
	Subject  string    `json:"subject"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"`           // since then
	Sent     int       `json:"sent"`               // messages
	AckedBy  string    `json:"acked_by,omitempty"` // "": nobody
	// AckComment is what that person says about it.
	AckComment string `json:"ack_comment,omitempty"`
}

// maxAlerts is how many failures the text shows. The JSON form has all.
const maxAlerts = 20

func (s *Status) alerts(b *page) {
	if len(s.Alerts) == 0 {
		return
	}
	b.WriteString("\nALERTS\n")
	var t table
	t.header("RULE", "SUBJECT", ">FOR", ">SENT", "ACKNOWLEDGED", "REASON")
	for i := range s.Alerts[:min(len(s.Alerts), maxAlerts)] {
		a := &s.Alerts[i]
		t.row(a.Rule, a.Subject, s.ago(a.Since), strconv.Itoa(a.Sent), cmp.Or(a.AckedBy, "-"), cmp.Or(a.Reason, "-"))
		if a.AckComment != "" {
			t.note(a.AckedBy + ": " + a.AckComment)
		}
	}
	t.write(b)
	if more := len(s.Alerts) - maxAlerts; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}
