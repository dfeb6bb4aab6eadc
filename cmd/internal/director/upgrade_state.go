package director

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/checktools"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/track"
	"holdfast/lvs"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/histogram"
	"holdfast/vrrp/speaker"
)

// An upgradeState is the content of upgrade.json in the runtime directory: what a
// binary leaves for the one that replaces it. Fields may be added; a field that is
// not there is zero. The form must stay readable by the binaries before and after.
type upgradeState struct {
	// At is when Routers was true, as time since boot, which no change of the clock
	// touches.
	At       time.Duration               `json:"at_ns"`
	Routers  map[string]savedRouter      `json:"routers"`
	Trackers map[string]track.Memory     `json:"trackers,omitempty"`
	BFD      map[string]bfd.SavedSession `json:"bfd,omitempty"`
	LVS      lvs.Memory                  `json:"lvs,omitzero"`
	Watchdog savedWatchdog               `json:"watchdog,omitzero"`
	// Traps are the latest traps of mon, by the name of the service.
	Traps map[string]checktools.SavedTrap `json:"traps,omitempty"`
	// TrapSockets are the descriptors of the sockets that traps of mon arrive at.
	TrapSockets map[netip.AddrPort]int `json:"trap_sockets,omitempty"`
	// PreemptHeld is set if this director was not to preempt a MASTER yet.
	PreemptHeld bool `json:"preempt_held,omitempty"`
	// PreemptAsked is when a preempt_command that runs has ended at the latest, as time
	// since boot, by the name of the group or lone instance.
	PreemptAsked map[string]time.Duration `json:"preempt_asked_ns,omitempty"`
	// ProgramEnds is until when each program that runs may run, as time since boot, by its
	// pid, which the upgrade does not change.
	ProgramEnds map[int]time.Duration `json:"program_ends_ns,omitempty"`
	// Scripts are the notify scripts that run, and those that wait.
	Scripts notify.Left `json:"scripts,omitzero"`
	// Sinks are the notifications that wait, by the key of the sink.
	Sinks map[string]notify.LeftSink `json:"sinks,omitempty"`

	Software string `json:"software,omitempty"` // the version of the former binary
	// Seq is the number of the last event. Events are those that are not in the
	// history, and History is the At of the history; zero if there is none.
	Seq     uint64        `json:"seq,omitempty"`
	Events  []event.Event `json:"events,omitempty"`
	History time.Duration `json:"history_ns,omitempty"`
	Journal savedJournal  `json:"journal,omitzero"`
}

// A history is the content of history.json in the runtime directory: the journal
// and the counters of the former binary. The new binary can do without it, so it
// is written before the adverts pause, and read after they go on.
type history struct {
	// At is when it was written, as time since boot. The upgradeState that belongs to
	// it names that.
	At     time.Duration `json:"at_ns"`
	Events []event.Event `json:"events"`
	Counts counts        `json:"counts"`
}

// counts are the totals of the status, which only grow.
type counts struct {
	Instances   map[string]status.Counters `json:"instances,omitempty"`
	Dropped     map[string]uint64          `json:"dropped,omitempty"`
	UnknownVRID uint64                     `json:"unknown_vrid,omitempty"`
	Repairs     uint64                     `json:"repairs,omitempty"` // of the IPVS table

	DeviceRepairs  uint64              `json:"device_repairs,omitempty"`
	Reloads        uint64              `json:"reloads,omitempty"`
	ReloadsRefused uint64              `json:"reloads_refused,omitempty"`
	Upgrades       uint64              `json:"upgrades,omitempty"`
	AdvertLateness *histogram.Snapshot `json:"advert_lateness,omitempty"`
}

// watched returns the processes whose results the subsystems take.
func (u *upgradeState) watched() []int {
	all := u.Scripts.PIDs()
	for _, left := range u.Sinks {
		all = append(all, left.PIDs()...)
	}
	return all
}

// A savedRouter is a vrrp.Resume as upgrade.json has it.
type savedRouter struct {
	Master   bool          `json:"master"`
	Since    time.Time     `json:"since"`
	Interval time.Duration `json:"interval_ns,omitempty"`
	GaveAway bool          `json:"gave_away,omitempty"`
	Lost     time.Time     `json:"lost,omitzero"`
	UpSince  time.Time     `json:"up_since,omitzero"`
	Takeover vrrp.Takeover `json:"takeover,omitzero"`
	// Silent is how long before At the last advert was sent.
	Silent   time.Duration `json:"silent_ns,omitempty"`
	Promised time.Duration `json:"promised_ns,omitempty"`
	// Marks are the sequence numbers of authentication, by the name of the path.
	Marks map[string]auth.Marks `json:"marks,omitempty"`
}

// saveRouter returns what a router is now.
func saveRouter(now time.Time, st *speaker.Status) savedRouter {
	e := &st.Resume
	p := savedRouter{
		Master: e.State == vrrp.Master, Since: e.Since, Interval: e.Interval, GaveAway: e.GaveAway, Lost: e.Lost,
		UpSince: e.UpSince, Takeover: e.Takeover, Promised: e.Promised, Marks: st.Marks,
	}
	if !e.LastAdvert.IsZero() {
		p.Silent = now.Sub(e.LastAdvert)
	}
	return p
}

// event returns how a router continues that was saved at a time.
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
