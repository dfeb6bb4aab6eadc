package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/track"
	"holdfast/vrrp"
)

// A passing is what a process that is about to be replaced by a newer binary
// leaves for that: what each virtual router is, and when that was true.
type upgradeState struct {
	// At is the time since boot, which no change of the clock touches.
	At       time.Duration               `json:"at_ns"`
	Routers  map[string]savedRouter      `json:"routers"`
	Trackers map[string]track.Memory     `json:"trackers,omitempty"`
	BFD      map[string]bfd.SavedSession `json:"bfd,omitempty"`

	Software string `json:"software,omitempty"` // the version of the former binary
	// Seq is the number of the last event; Events are those that are not in the
	// history, and History the At of that, zero if there is none.
	Seq     uint64        `json:"seq,omitempty"`
	Events  []event.Event `json:"events,omitempty"`
	History time.Duration `json:"history_ns,omitempty"`
}

// A passed is a vrrp.Resume.
type savedRouter struct {
	Master   bool          `json:"master"`
	Since    time.Time     `json:"since"`
	Interval time.Duration `json:"interval_ns,omitempty"`
	GaveAway bool          `json:"gave_away,omitempty"`
	Lost     time.Time     `json:"lost,omitzero"`
	UpSince  time.Time     `json:"up_since,omitzero"`
	Takeover vrrp.Takeover `json:"takeover,omitzero"`
	// Silent is how long before that the last advert was sent.
	Silent   time.Duration `json:"silent_ns,omitempty"`
	Promised time.Duration `json:"promised_ns,omitempty"`
}

// saveRouter is what is true now.
func saveRouter(now time.Time, e *vrrp.Resume) savedRouter {
	p := savedRouter{
		Master: e.State == vrrp.Master, Since: e.Since, Interval: e.Interval, GaveAway: e.GaveAway, Lost: e.Lost,
		UpSince: e.UpSince, Takeover: e.Takeover, Promised: e.Promised,
	}
	if !e.LastAdvert.IsZero() {
		p.Silent = now.Sub(e.LastAdvert)
	}
	return p
}

// event is what was true at a time.
func (p *savedRouter) event(at time.Time) vrrp.Resume {
	r := vrrp.Resume{
		State: vrrp.Backup, Since: p.Since, Interval: p.Interval, GaveAway: p.GaveAway, Lost: p.Lost,
		UpSince: p.UpSince, Takeover: p.Takeover, Promised: p.Promised,
	}
	if p.Master {
		r.State = vrrp.Master
	}
	if p.Promised != 0 {
		r.LastAdvert = at.Add(-p.Silent)
	}
	return r
}

// sinceBoot is the time since boot, suspended times included.
func sinceBoot() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// clock is the time of this process's clock at a time since boot.
func clock(at time.Duration) time.Time { return time.Now().Add(at - sinceBoot()) }

func upgradeStatePath(dir string) string { return filepath.Join(dir, "upgrade.json") }

// saveUpgradeState leaves word for the next binary. What has been is of less account than
// what is: where there is no room for both, the journal is lost.
func (d *Director) saveUpgradeState() error {
	at, seq, err := d.writeHistory()
	if err != nil {
		d.log.Warn("the new binary will not know the journal", "err", err)
	}
	err = d.writeUpgradeState(at, seq)
	if err != nil && at != 0 {
		d.log.Warn("the new binary will not know the journal: its place is needed", "err", err)
		err = errors.Join(forgetHistory(d.conf.Director.RuntimeDir), d.writeUpgradeState(0, 0))
	}
	return err
}

// removeUpgradeState removes the word that was left for a binary that does not come.
func (d *Director) removeUpgradeState() error {
	dir := d.conf.Director.RuntimeDir
	err := os.Remove(upgradeStatePath(dir))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, forgetHistory(dir))
}

// writeUpgradeState says what everything is, beside a history that was written at a
// time and goes as far as the event seq. Routers that are neither MASTER nor BACKUP
// start anew.
func (d *Director) writeUpgradeState(history time.Duration, seq uint64) error {
	d.readMail()
	snap, err := d.speaker.Snapshot()
	at := sinceBoot()
	if err != nil {
		return err
	}
	d.readMail() // the new binary tells nobody how the routers became what they are
	p := upgradeState{
		At: at, Routers: map[string]savedRouter{}, Software: d.opts.Version, Seq: d.journal.Last(), History: history,
	}
	for _, s := range d.subsystems {
		s.save(&p)
	}
	if history != 0 {
		p.Events = d.journal.Since(seq)
	}
	for name, r := range snap.Routers {
		if e := r.Resume; e.State == vrrp.Master || e.State == vrrp.Backup {
			p.Routers[name] = saveRouter(snap.At, &e)
		}
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return replaceFile(upgradeStatePath(d.conf.Director.RuntimeDir), b)
}

// upgradeStateLife is for how long the word counts. What is older was left for a
// binary that never came, perhaps before the machine was started.
const upgradeStateLife = time.Minute

// readUpgradeState reads the word that was left, which counts once.
func readUpgradeState(dir string) (upgradeState, error) {
	var p upgradeState
	there, err := readFile(upgradeStatePath(dir), &p)
	if there {
		err = errors.Join(err, os.Remove(upgradeStatePath(dir)))
	}
	if err != nil {
		return upgradeState{}, fmt.Errorf("read what the former binary left: %w", err)
	}
	if age := sinceBoot() - p.At; age < 0 || age > upgradeStateLife {
		return upgradeState{}, nil
	}
	return p, nil
}

// startEvent is how an instance begins: as what the former binary was, with
// what a crash left on its device, or from nothing.
func (d *Director) startEvent(in *instance) vrrp.Event {
	was, known := d.formerly(in)
	switch {
	case known && (was.State == vrrp.Master) == in.device.Leftover:
		return was
	case in.device.Leftover:
		d.log.Warn("a former run left the addresses on; they are served silently until a MASTER is known",
			"vrrp", in.conf.Name, "device", in.device.Name)
		return vrrp.StartHolding{}
	}
	return vrrp.Start{}
}

// formerly is what an instance was a moment ago, if nobody has missed it since.
func (d *Director) formerly(in *instance) (was vrrp.Resume, known bool) {
	if stood, ok := d.stood[in.conf.Name]; ok {
		return stood, stood.State == vrrp.Master
	}
	p, known := d.inherited.Routers[in.conf.Name]
	return p.event(clock(d.inherited.At)), known && sinceBoot()-d.inherited.At < 3*in.conf.Interval
}
