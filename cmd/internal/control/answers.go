package control

import "time"

// VersionInfo describes the running daemon.
type VersionInfo struct {
	Version  int       `json:"version"` // of these values
	Software string    `json:"software"`
	Go       string    `json:"go"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
}

// Plan is what a reload would change in the kernel now.
type Plan struct {
	Version int    `json:"version"`
	Path    string `json:"path"` // of the configuration
	Steps   []Step `json:"steps"`
}

// A Step is one change.
type Step struct {
	Area   string `json:"area"`   // holdfast, netdev or lvs
	Change Change `json:"change"` // what happens to the thing that Text names
	Text   string `json:"text"`   // as a command or a sentence
}

// A Change is what a step does to something.
type Change string

// The changes.
const (
	Added   Change = "add"
	Removed Change = "remove"
	Changed Change = "change"
)

// Reloaded is the result of a reload.
type Reloaded struct {
	At      time.Time `json:"at"`
	Changes []string  `json:"changes"` // one sentence each; empty if nothing changed
}

// HandedOver is the result of a handover.
type HandedOver struct {
	Units []HandedOverUnit `json:"units"`
}

// A HandedOverUnit is a group or lone instance that was handed over.
type HandedOverUnit struct {
	Name string `json:"name"`
	To   string `json:"to"` // address of the new MASTER
	// TookMS is the time in ms until the new MASTER's adverts were received and
	// this director had released everything.
	TookMS float64 `json:"took_ms"`
}

// Acked is the result of an acknowledgement.
type Acked struct {
	Subjects []string `json:"subjects"` // sorted
}

// Upgrading describes the binary that replaces the running one.
type Upgrading struct {
	Path string `json:"path"`
	PID  int    `json:"pid"` // does not change
}
