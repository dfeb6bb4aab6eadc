//go:build dbus

package dbus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/cmd/internal/status"
)

// Names of the files that the Print methods write to the runtime directory. Only
// root can read that directory. keepalived writes its own files to /tmp.
const (
	dataFile  = "dbus-data.json"
	statsFile = "dbus-stats.json"
)

// methodTimeout limits the time for one method call. D-Bus clients wait 25 s for
// a reply by default.
const methodTimeout = 20 * time.Second

// A baseline holds the counters of the instances at the last PrintStatsClear.
// PrintStats subtracts it. The counters themselves are never reset, because
// others read them too.
type baseline struct {
	at     time.Time
	values map[string]status.Counters
}

// A statsDocument is the content of statsFile.
type statsDocument struct {
	Version int              `json:"version"` // version of the status format
	At      time.Time        `json:"at"`
	Cleared time.Time        `json:"cleared,omitzero"` // time of the last PrintStatsClear
	VRRP    []statsOfARouter `json:"vrrp"`
}

type statsOfARouter struct {
	Name     string          `json:"name"`
	Counters status.Counters `json:"counters"`
}

// methodsOfRouter returns the methods of the object at routerPath, by name.
func (s *Service) methodsOfRouter() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"PrintData":       s.printData,
		"PrintStats":      func(ctx context.Context) error { return s.printStats(ctx, false) },
		"PrintStatsClear": func(ctx context.Context) error { return s.printStats(ctx, true) },
		"ReloadConfig":    s.director.Reload,
		"SendGarp":        func(ctx context.Context) error { return s.director.Announce(ctx, "") },
	}
}

// do logs a method call and runs f. Only one method runs at a time: do waits for
// the one before. It returns an error if that takes longer than methodTimeout.
func (s *Service) do(ctx context.Context, name, instance string, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, methodTimeout)
	defer cancel()
	select {
	case s.work <- struct{}{}:
		defer func() { <-s.work }()
	case <-ctx.Done():
		return fmt.Errorf("another method is at work: %w", ctx.Err())
	}
	s.log.Info("asked over D-Bus", "method", name, "vrrp", instance)
	return f(ctx)
}

func (s *Service) printData(ctx context.Context) error {
	st, err := s.director.Status(ctx)
	if err != nil {
		return err
	}
	text, err := st.JSON()
	if err != nil {
		return err
	}
	return s.write(dataFile, text)
}

func (s *Service) printStats(ctx context.Context, clear bool) error {
	st, err := s.director.Status(ctx)
	if err != nil {
		return err
	}
	doc := statsDocument{Version: st.Version, At: st.Now, Cleared: s.stats.at, VRRP: []statsOfARouter{}}
	values := map[string]status.Counters{}
	for i := range st.VRRP {
		v := &st.VRRP[i]
		values[v.Name] = v.Counters
		doc.VRRP = append(doc.VRRP, statsOfARouter{v.Name, v.Counters.Minus(s.stats.values[v.Name])})
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return err
	}
	if err := s.write(statsFile, append(text, '\n')); err != nil {
		return err
	}
	if clear {
		s.stats = baseline{st.Now, values}
	}
	return nil
}

func (s *Service) write(name string, content []byte) error {
	if err := s.director.Write(name, content); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
