// Package status defines Status, the state of the director, and its forms: JSON for
// programs and text for people.
package status

import (
	"encoding/json"
	"time"

	"holdfast/checker"
	"holdfast/vrrp/histogram"
)

// Version is the version of the JSON form. It is the value of Status.Version.
const Version = 1

// Status is the complete state of the daemon at one moment.
type Status struct {
	Version  int       `json:"version"`
	Director string    `json:"director"`
	Software string    `json:"software"` // version of the running binary
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"` // the moment that the status describes
	Config   Config    `json:"config"`
	// Realtime is true if the thread that sends adverts runs with real-time
	// priority. RealtimeNote gives the cause if it does not.
	Realtime     bool       `json:"realtime"`
	RealtimeNote string     `json:"realtime_note,omitempty"`
	VRRP         []Instance `json:"vrrp"`   // in configuration order, as are the other lists
	Groups       []Group    `json:"groups"` // sync groups
	// Problems lists kernel objects that the daemon could not repair, and kernel
	// objects of others that conflict with ours.
	Problems []Problem `json:"problems"`
	Alerts   []Alert   `json:"alerts,omitempty"` // failures that the rules for alerts are about
	LVS      *LVS      `json:"lvs,omitempty"`
	Trackers []Tracker `json:"trackers"`
	BFD      *BFD      `json:"bfd,omitempty"`      // nil: not configured
	Watchdog *Watchdog `json:"watchdog,omitempty"` // nil: not configured
	// Resources lists what runs where a group or instance is MASTER.
	Resources []Resource `json:"resources,omitempty"`
	// Checks lists the health checks, identified by "service/server". It omits
	// servers that have no check.
	Checks []checker.Status `json:"checks"`
	// Notify lists the state of each outlet for events, the scripts first.
	Notify []Outlet `json:"notify"`
	DBus   *DBus    `json:"dbus,omitempty"` // nil: not configured
	// Dropped counts, by reason, the adverts that no instance accepted since the
	// start. UnknownVRID counts the adverts of virtual routers that are not
	// configured here. Neither counter ever decreases.
	Dropped     map[string]uint64 `json:"dropped"`
	UnknownVRID uint64            `json:"unknown_vrid"`
	// AdvertLateness counts by how much the adverts of all instances were sent after
	// they were due.
	AdvertLateness *histogram.Snapshot `json:"advert_lateness,omitempty"`
	// CheckLateness counts by how much attempts began after they were due. CheckDuration
	// counts how long conclusive attempts took, by the type of the check.
	CheckLateness *histogram.Snapshot            `json:"check_lateness,omitempty"`
	CheckDuration map[string]*histogram.Snapshot `json:"check_duration,omitempty"`
	// Repairs counts devices, addresses, routes, rules and sysctls that the daemon put
	// back because another program had changed them. Upgrades counts how often a new
	// binary took over from the one before. Neither counter ever decreases.
	Repairs  uint64     `json:"repairs"`
	Upgrades uint64     `json:"upgrades"`
	SNMP     *SNMP      `json:"snmp,omitempty"` // nil: not configured
	Listen   []Listener `json:"listen,omitempty"`
	// MonTraps are the ports where traps of mon are received.
	MonTraps []MonTraps `json:"mon_traps,omitempty"`
}

// A Problem is a fault or conflict that the daemon cannot repair at present.
type Problem struct {
	// Kind is device, address, sysctl, routes, nftables, journal, leftovers or
	// kernel if the daemon could not repair the object. Kind is conflict-address,
	// conflict-mac, conflict-rule, conflict-firewall or conflict-ipvs if the object
	// conflicts with ours. Kind is check if a check of a server that is well found
	// something, such as a certificate that will expire soon. Kind is resource if
	// something does not run where it should, or may run where it should not. Kind is
	// fence if a node could not be fenced. Kind is watchdog if the hardware watchdog is
	// not fed. Kind is bfd if this machine may cost a BFD session its detection time. Kind
	// is listen for an HTTP listener.
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`                // name of the object
	VRRP      string    `json:"vrrp,omitempty"`      // the affected virtual router
	Interface string    `json:"interface,omitempty"` // the interface that has the address or the MAC
	Address   string    `json:"address,omitempty"`   // with prefix length
	Text      string    `json:"text"`                // for people
	Since     time.Time `json:"since"`
}

// Config describes the configuration that is in force.
type Config struct {
	Path       string    `json:"path"`
	LoadedAt   time.Time `json:"loaded_at"`
	LastReload *Reload   `json:"last_reload,omitempty"`
	// Reloads counts configurations that a reload brought into force, and
	// ReloadsRefused those that a reload refused.
	Reloads        uint64 `json:"reloads"`
	ReloadsRefused uint64 `json:"reloads_refused"`
}

// Reload is the result of the latest attempt to reload.
type Reload struct {
	At    time.Time `json:"at"`
	OK    bool      `json:"ok"`
	Error string    `json:"error,omitempty"`
}

// JSON returns the status as the control socket reports it: an indented JSON object
// with a final newline.
func (s *Status) JSON() ([]byte, error) {
	s.Complete()
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// Complete replaces nil lists and maps with empty ones. Readers of the JSON then need
// not distinguish null from [] or {}.
func (s *Status) Complete() {
	s.VRRP, s.Groups, s.Checks, s.Trackers = list(s.VRRP), list(s.Groups), list(s.Checks), list(s.Trackers)
	s.Notify, s.Problems = list(s.Notify), list(s.Problems)
	if s.Dropped == nil {
		s.Dropped = map[string]uint64{}
	}
	for i := range s.Trackers {
		if s.Trackers[i].For == nil {
			s.Trackers[i].For = map[string]int{}
		}
	}
	for i := range s.VRRP {
		v := &s.VRRP[i]
		v.Reasons, v.Addresses = list(v.Reasons), list(v.Addresses)
		if v.Counters.Dropped == nil {
			v.Counters.Dropped = map[string]uint64{}
		}
	}
	for i := range s.Groups {
		s.Groups[i].Members = list(s.Groups[i].Members)
	}
	s.BFD.complete()
	s.LVS.complete()
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
