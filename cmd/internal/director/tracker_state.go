package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"holdfast/cmd/internal/track"
)

// knownTrackers is what is known of the trackers, kept under the runtime
// directory for a start after a crash: a priority that goes up until they are
// known again would take mastership only to give it back.
type knownTrackers struct {
	At       time.Duration           `json:"at_ns"` // since boot
	Trackers map[string]track.Memory `json:"trackers"`
}

func knownTrackersPath(dir string) string { return filepath.Join(dir, "trackers.json") }

// rememberTrackers writes what is known now.
func (d *Director) rememberTrackers() {
	b, err := json.Marshal(knownTrackers{sinceBoot(), d.tracks.Remember()})
	if err == nil {
		err = replaceFile(knownTrackersPath(d.conf.Director.RuntimeDir), b)
	}
	if err != nil {
		d.log.Warn("a start after a crash will not know the trackers", "err", err)
	}
}

// recallTrackers takes over what a run that crashed knew, unless a binary that
// was replaced left word of more.
func (d *Director) recallTrackers() {
	if d.inherited.Trackers != nil || len(d.host.Left()) == 0 {
		return
	}
	known, err := readKnownTrackers(d.opts.Config.Director.RuntimeDir)
	if err != nil {
		d.log.Warn("the trackers are not known", "err", err)
	}
	if known.At <= sinceBoot() { // of this boot
		d.inherited.Trackers = known.Trackers
	}
}

func readKnownTrackers(dir string) (knownTrackers, error) {
	var k knownTrackers
	if _, err := readFile(knownTrackersPath(dir), &k); err != nil {
		return knownTrackers{}, fmt.Errorf("read what a former run knew of the trackers: %w", err)
	}
	return k, nil
}

// forgetTrackers removes what was written: after a clean end nobody starts from it.
func (d *Director) forgetTrackers() error {
	err := os.Remove(knownTrackersPath(d.conf.Director.RuntimeDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
