package web

import (
	"context"
	"net/http"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A Summary is the state of a director in brief.
type Summary struct {
	Version  int       `json:"version"` // 1
	Director string    `json:"director"`
	Software string    `json:"software"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"`
	// Unwell has the first sentences of what is wrong, and Problems how many there are.
	Unwell   []string `json:"unwell"`
	Problems int      `json:"problems"`
	// Units maps the groups, and the virtual routers without a group, to their states.
	Units map[string]string `json:"units"`
}

const (
	summaryVersion = 1
	// maxUnwell bounds Summary.Unwell.
	maxUnwell = 10
)

func summarize(s *status.Status) *Summary {
	unwell := s.Unwell()
	m := &Summary{
		Version: summaryVersion, Director: s.Director, Software: s.Software, Started: s.Started, Now: s.Now,
		Unwell: append([]string{}, unwell[:min(maxUnwell, len(unwell))]...), Problems: len(unwell), Units: map[string]string{},
	}
	for i := range s.VRRP {
		if s.VRRP[i].Group == "" {
			m.Units[s.VRRP[i].Name] = s.VRRP[i].State
		}
	}
	for i := range s.Groups {
		m.Units[s.Groups[i].Name] = s.Groups[i].State
	}
	return m
}

// masters returns how many units of m are MASTER.
func (m *Summary) masters() (n int) {
	for _, state := range m.Units {
		if state == event.Master {
			n++
		}
	}
	return n
}

// summaryAge is how old a summary may be. All who ask within that time get the same.
const summaryAge = time.Second

// summaries answers with summaries.
type summaries struct {
	status func(context.Context) (*status.Status, error)

	mu   sync.Mutex // held while a summary is made, so that others wait for it
	body []byte
	made time.Time
}

func (c *summaries) serve(w http.ResponseWriter, r *http.Request) {
	body, err := c.get(r.Context())
	if err != nil {
		http.Error(w, "the director does not answer", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body) // the reader may have left
}

func (c *summaries) get(ctx context.Context) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.body != nil && time.Since(c.made) < summaryAge {
		return c.body, nil
	}
	s, err := c.status(ctx)
	if err != nil {
		return nil, err
	}
	c.body, c.made = append(encode(summarize(s)), '\n'), time.Now()
	return c.body, nil
}
