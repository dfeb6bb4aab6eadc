package status

import "time"

// A Resource is something that runs where a group or lone instance is MASTER.
type Resource struct {
	Name  string `json:"name"`
	Group string `json:"group"` // the group, or lone instance, that it belongs to
	Type  string `json:"type"`  // systemd, lsb, ocf or command; "": it is not configured any more
	// State is stopped, starting, started, stopping, failed or stuck: it could not be
	// stopped.
	State           string    `json:"state"`
	Since           time.Time `json:"since"` // since when State has had this value
	BeforeAddresses bool      `json:"before_addresses,omitempty"`
	Action          string    `json:"action,omitempty"`  // start, stop or status, which runs now; "": none
	Problem         string    `json:"problem,omitempty"` // the last failure; "" after a success
	Failures        int       `json:"failures"`          // in a row
	LastLook        time.Time `json:"last_look,omitzero"`
	RetryAt         time.Time `json:"retry_at,omitzero"` // when a failed one is tried anew
}

// resources writes what runs where a group is MASTER.
func (s *Status) resources(b *page) {
	if len(s.Resources) == 0 {
		return
	}
	b.WriteString("\nRESOURCES\n")
	var t table
	t.header("NAME", "GROUP", "TYPE", "STATE", ">FOR", "ACTION", ">LOOKED")
	for i := range s.Resources {
		r := &s.Resources[i]
		action, looked := "-", "-"
		if r.Action != "" {
			action = r.Action
		}
		if !r.LastLook.IsZero() {
			looked = s.ago(r.LastLook) + " ago"
		}
		t.row(r.Name, r.Group, r.Type, r.State, s.ago(r.Since), action, looked)
		t.note(r.Problem)
	}
	t.write(b)
}
