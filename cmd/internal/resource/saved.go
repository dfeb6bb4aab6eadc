package resource

import "time"

// Saved is what a state file has of a resource that is not known to be stopped.
type Saved struct {
	Name     string    `json:"name"`
	Early    bool      `json:"early,omitempty"`
	State    State     `json:"state"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures,omitempty"`
	Problem  string    `json:"problem,omitempty"`
	// Action is what the process PID does, whose start time in ticks since boot is
	// Ticks (proc_pid_stat(5)). Deadline is when its time is over. PID 0: none.
	Action   Action    `json:"action,omitempty"`
	PID      int       `json:"pid,omitempty"`
	Ticks    uint64    `json:"ticks,omitempty"`
	Deadline time.Time `json:"deadline,omitzero"`

	// Crashed is set by the reader: the former run did not end by itself, so that
	// the resource may have ended since.
	Crashed bool `json:"-"`
}

// Save returns what the next process must know. Resources that are stopped are not in
// the list.
func (c *Chain) Save() []Saved {
	var list []Saved
	for _, e := range c.entries {
		if e.State == Stopped {
			continue
		}
		s := Saved{Name: e.Name, Early: e.Early, State: e.State, Since: e.Since, Failures: e.Failures, Problem: e.Problem}
		if e == c.running && e.Job != Look {
			s.Action = e.Job
		}
		list = append(list, s)
	}
	return list
}
