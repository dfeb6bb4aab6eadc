package director

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"

	"holdfast/cmd/internal/track"
	"holdfast/netdev/statefile"
)

// knownTrackers is the content of trackers.json in the runtime directory: what is
// known of the trackers, for a start after a crash. Without it, the weights of
// trackers would count as 0 until they have looked, and a router whose priority is
// lowered by them would take mastership only to give it back.
type knownTrackers struct {
	At       time.Duration           `json:"at_ns"` // since boot
	Trackers map[string]track.Memory `json:"trackers"`
}

func knownTrackersPath(dir string) string { return filepath.Join(dir, "trackers.json") }

// keepTrackers writes what is known now.
func keepTrackers(dir string, states map[string]track.Memory) error {
	b, err := json.Marshal(knownTrackers{sinceBoot(), states})
	if err != nil {
		return err
	}
	return statefile.Replace(knownTrackersPath(dir), b)
}

func readKnownTrackers(dir string) (knownTrackers, error) {
	var k knownTrackers
	if _, err := readFile(knownTrackersPath(dir), &k); err != nil {
		return knownTrackers{}, fmt.Errorf("read what the former run knew of the trackers: %w", err)
	}
	return k, nil
}

// forgetTrackers removes what was written: after a clean stop nobody starts from it.
func forgetTrackers(dir string) error { return statefile.Remove(knownTrackersPath(dir)) }
