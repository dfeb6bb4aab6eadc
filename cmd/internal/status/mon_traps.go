package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// MonTraps is the state of a UDP port where traps of mon are received.
type MonTraps struct {
	Address   string            `json:"address"` // with the port
	Listening bool              `json:"listening"`
	Problem   string            `json:"problem,omitempty"` // why it does not listen
	Taken     uint64            `json:"taken"`             // traps that a service has taken
	Refused   map[string]uint64 `json:"refused,omitempty"` // traps by the reason why they were refused, each reason from the start
	// LastRefused is the address of the latest trap that was refused, and why.
	LastRefused string    `json:"last_refused,omitempty"`
	LastTaken   time.Time `json:"last_taken,omitzero"`
}

// monTraps writes where traps of mon are received.
func (s *Status) monTraps(b *page) {
	if len(s.MonTraps) == 0 {
		return
	}
	b.WriteString("\nTRAPS OF MON\n")
	var t table
	t.header("ADDRESS", "STATE", ">TAKEN", ">REFUSED", "REASONS")
	for i := range s.MonTraps {
		m := &s.MonTraps[i]
		state := "listening"
		if !m.Listening {
			state = "waits"
		}
		var all uint64
		var reasons []string
		for _, reason := range slices.Sorted(maps.Keys(m.Refused)) {
			if all += m.Refused[reason]; m.Refused[reason] == 0 {
				continue
			}
			reasons = append(reasons, fmt.Sprintf("%s %d", reason, m.Refused[reason]))
		}
		t.row(m.Address, state, fmt.Sprint(m.Taken), fmt.Sprint(all), cmp.Or(strings.Join(reasons, ", "), "-"))
		if m.Problem != "" {
			t.note(m.Problem)
		} else if m.LastRefused != "" {
			t.note("refused last: " + m.LastRefused)
		}
	}
	t.write(b)
}
