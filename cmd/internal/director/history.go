package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A history is what a process that is about to be replaced leaves beside a
// passing: what has been. The new binary goes on without it, so it is written
// before the adverts pause, and read after they go on.
type history struct {
	// At is when it was written, since boot, by which the passing knows it.
	At     time.Duration `json:"at_ns"`
	Events []event.Event `json:"events"`
	Counts counts        `json:"counts"`
}

// counts are the totals of the status, which only grow.
type counts struct {
	Instances   map[string]status.Counters `json:"instances,omitempty"`
	Dropped     map[string]uint64          `json:"dropped,omitempty"`
	UnknownVRID uint64                     `json:"unknown_vrid,omitempty"`
	Repairs     uint64                     `json:"repairs,omitempty"`
}

func historyPath(dir string) string { return filepath.Join(dir, "history.json") }

// writeHistory leaves what has been. It returns the At of what was written, and
// the number of the last event in it.
func (d *Director) writeHistory() (time.Duration, uint64, error) {
	s, err := d.vrrpStatus()
	if err != nil {
		return 0, 0, err
	}
	h := history{
		At: sinceBoot(), Events: d.journal.Since(0),
		Counts: counts{map[string]status.Counters{}, s.Dropped, s.UnknownVRID, d.repairs},
	}
	for i := range s.VRRP {
		h.Counts.Instances[s.VRRP[i].Name] = s.VRRP[i].Counters
	}
	b, err := json.Marshal(h)
	if err == nil {
		err = replaceFile(historyPath(d.conf.Director.RuntimeDir), b)
	}
	if err != nil {
		return 0, 0, err
	}
	return h.At, d.journal.Last(), nil
}

// recallHistory takes over what the binary before this one left of what has been,
// and notes that it was replaced.
func (d *Director) recallHistory() {
	p, dir := &d.inherited, d.conf.Director.RuntimeDir
	h, err := readHistory(dir, p.History)
	if err = errors.Join(err, d.journal.Prepend(append(h.Events, p.Events...))); err != nil {
		d.log.Warn("the journal of the former binary is lost", "err", err)
	}
	d.recallCounts(&h.Counts)
	p.Events = nil
	if p.At != 0 {
		d.publish(event.Event{Kind: event.KindDirector, From: p.Software, To: d.opts.Version, Reason: "upgraded"})
	}
}

// recallCounts goes on counting where the former binary ceased to.
func (d *Director) recallCounts(c *counts) {
	d.repairs += c.Repairs
	d.before = counts{Dropped: c.Dropped, UnknownVRID: c.UnknownVRID}
	for name, before := range c.Instances {
		if in := d.instances[name]; in != nil {
			in.before = before
		}
	}
}

// readHistory reads the history that was written at a time; none if that is zero.
// It counts once.
func readHistory(dir string, at time.Duration) (history, error) {
	if at == 0 {
		return history{}, forgetHistory(dir)
	}
	var h history
	there, err := readFile(historyPath(dir), &h)
	switch {
	case err == nil && !there:
		err = fmt.Errorf("there is no %s", historyPath(dir))
	case err == nil && h.At != at:
		err = fmt.Errorf("%s is not what was left by the former binary", historyPath(dir))
	}
	err = errors.Join(err, forgetHistory(dir))
	if err != nil {
		return history{}, fmt.Errorf("read what has been: %w", err)
	}
	return h, nil
}

func forgetHistory(dir string) error {
	if err := os.Remove(historyPath(dir)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
