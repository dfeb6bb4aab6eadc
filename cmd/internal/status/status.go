// Package status has the one value that says how the director is, its JSON form
// and its text for people.
package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/lvs"
)

// Version is the value of Status.Version: the version of the JSON form.
const Version = 1

// Status is everything that the daemon knows at one moment.
type Status struct {
	Version  int       `json:"version"`
	Director string    `json:"director"`
	Software string    `json:"software"` // version of the running binary
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Now      time.Time `json:"now"` // when this was true
	Config   Config    `json:"config"`
	// Realtime says whether the adverts' thread runs with real-time priority;
	// RealtimeNote says why it does not.
	Realtime     bool       `json:"realtime"`
	RealtimeNote string     `json:"realtime_note,omitempty"`
	VRRP         []Instance `json:"vrrp"`   // in the order of the configuration, as are the others
	Groups       []Group    `json:"groups"` // sync groups
	// Problems are kernel objects that could not be repaired, and what others have
	// in the kernel that is in our way.
	Problems []Problem `json:"problems"`
	LVS      *LVS      `json:"lvs,omitempty"`
	Trackers []Tracker `json:"trackers"`
	BFD      *BFD      `json:"bfd,omitempty"` // nil: not configured
	// Checks are by "service/server"; one that is not checked is not listed.
	Checks []checker.Status `json:"checks"`
	// Notify is how those are who tell of events: the scripts first.
	Notify []Outlet `json:"notify"`
	DBus   *DBus    `json:"dbus,omitempty"` // nil: not configured
	// Dropped counts adverts that no instance heeded, by reason, since the start;
	// UnknownVRID those of virtual routers that are not ours. Neither ever falls.
	Dropped     map[string]uint64 `json:"dropped"`
	UnknownVRID uint64            `json:"unknown_vrid"`
	SNMP        *SNMP             `json:"snmp,omitempty"` // nil: not configured
}

// A Problem is one thing that is not as it should be, and cannot be put right now.
type Problem struct {
	// Kind is device, address, sysctl, routes, nftables, journal, leftovers or
	// kernel for what could not be repaired, and conflict-address, conflict-mac,
	// conflict-rule, conflict-firewall or conflict-ipvs for what is in the way.
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`                // of the object
	VRRP      string    `json:"vrrp,omitempty"`      // the virtual router that it concerns
	Interface string    `json:"interface,omitempty"` // that has the address or the MAC
	Address   string    `json:"address,omitempty"`   // with prefix length
	Text      string    `json:"text"`                // for people
	Since     time.Time `json:"since"`
}

// DBus is the service on D-Bus.
type DBus struct {
	Bus       string    `json:"bus"`  // as configured
	Name      string    `json:"name"` // of the service
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // of Connected
	Error     string    `json:"error,omitempty"` // why it is not connected
	// Signals: those that the bus took, and that were dropped as too many waited.
	SignalsSent    uint64 `json:"signals_sent"`
	SignalsDropped uint64 `json:"signals_dropped"`
}

// SNMP is the way to SNMP's master agent.
type SNMP struct {
	AgentX    string    `json:"agentx"` // where the master agent is
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // of Connected
	Error     string    `json:"error,omitempty"` // why it is not connected
	Requests  uint64    `json:"requests"`        // answered
	// Traps: those that the master agent took, that wait for it, and that were
	// dropped: too many, too old, or refused.
	TrapsSent    uint64 `json:"traps_sent"`
	TrapsQueued  int    `json:"traps_queued"`
	TrapsDropped uint64 `json:"traps_dropped"`
}

// OutletScripts is the Name of the scripts. One that fails is a matter of its
// event, and does not keep the next from being told.
const OutletScripts = "scripts"

// An Outlet is a way by which others are told of events.
type Outlet struct {
	Name      string `json:"name"`      // "scripts", or type and target: "fifo /run/holdfast/notify.fifo"
	Queued    int    `json:"queued"`    // events that wait or are being told
	Delivered uint64 `json:"delivered"` // of scripts: that ended well
	// Dropped were not told: too many waited, they were too old, or refused. Of
	// scripts: states that were over before the script could run.
	Dropped      uint64    `json:"dropped"`
	LastDelivery time.Time `json:"last_delivery,omitzero"`
	LastError    string    `json:"last_error,omitempty"` // the latest, even if all is well since
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"` // zero: the latest delivery was well
}

// Config is the configuration that is in force.
type Config struct {
	Path       string    `json:"path"`
	LoadedAt   time.Time `json:"loaded_at"`
	LastReload *Reload   `json:"last_reload,omitempty"`
}

// Reload is how the latest attempt to reload ended.
type Reload struct {
	At    time.Time `json:"at"`
	OK    bool      `json:"ok"`
	Error string    `json:"error,omitempty"`
}

// An ExtraInterface is another interface where a virtual router has addresses.
type ExtraInterface struct {
	Interface string   `json:"interface"`
	Device    string   `json:"device,omitempty"` // the macvlan; "" if they are on the interface
	Addresses []string `json:"addresses"`
}

// An Instance is a virtual router.
type Instance struct {
	Name      string `json:"name"`
	Group     string `json:"group,omitempty"`
	Interface string `json:"interface"`
	// IfIndex is the interface's number, while there is none its last one.
	IfIndex int    `json:"ifindex,omitempty"`
	Device  string `json:"device,omitempty"` // the macvlan; "" if the addresses are on the interface
	MAC     string `json:"mac,omitempty"`    // of the addresses
	// ExtraInterfaces are the interfaces beside Interface that have addresses.
	ExtraInterfaces []ExtraInterface `json:"elsewhere,omitempty"`
	Family          string           `json:"family"` // ipv4 or ipv6
	VRID            int              `json:"vrid"`
	Protocol        int              `json:"vrrp_version"`        // 2 or 3
	Multicast       string           `json:"multicast,omitempty"` // group of the adverts; "" with unicast
	State           string           `json:"state"`               // INIT, BACKUP, MASTER or FAULT
	Since           time.Time        `json:"since"`
	Why             string           `json:"why,omitempty"` // of the last transition
	// UpSince is when it left INIT or FAULT; absent in these.
	UpSince time.Time `json:"up_since,omitzero"`
	// Takeover is why it became MASTER the last time: priority (it owns the
	// addresses, or the MASTER gave up), preempted or no_response; "" if never.
	Takeover string `json:"takeover,omitempty"`
	// Holding tells whether the addresses are on the device. It differs from
	// State for a moment around a transition.
	Holding           bool     `json:"holding"`
	Priority          int      `json:"priority"` // configured
	EffectivePriority int      `json:"effective_priority"`
	IntervalMS        float64  `json:"interval_ms"`
	Preempt           bool     `json:"preempt"`
	Addresses         []string `json:"addresses"` // with prefix length
	// Excluded are those of Addresses that are not in the adverts.
	Excluded []string `json:"excluded,omitempty"`
	// Refused says that packets for the addresses are not taken (accept =
	// false), Egress that what they send leaves by the device.
	Refused bool `json:"refused,omitempty"`
	Egress  bool `json:"egress,omitempty"`
	// Peers are the routers whose adverts are heeded, nil for all; Unicast says
	// that ours go to each of them.
	Peers   []string `json:"peers,omitempty"`
	Unicast bool     `json:"unicast,omitempty"`
	// Auth is how adverts are authenticated: password, ah or hmac; "" for not.
	Auth string `json:"auth,omitempty"`
	// Source is the address that adverts are sent from; "" if there is none.
	Source string `json:"source,omitempty"`
	// Master is the MASTER that was heard last; nil if it is us or none was.
	Master *Peer `json:"master,omitempty"`
	// Rival is another router that speaks as MASTER beside us.
	Rival *Peer `json:"rival,omitempty"`
	// RefusedSpeakers are other routers whose adverts for this virtual router are
	// refused, at most 16, in no particular order. RefusedForgotten is how many
	// more there were.
	RefusedSpeakers  []RefusedSpeaker `json:"refused_speakers,omitempty"`
	RefusedForgotten uint64           `json:"refused_forgotten,omitempty"`
	// CededTo is another owner of the addresses, because of whom the priority of
	// this one fell from 255 to 254.
	CededTo *Peer `json:"ceded_to,omitempty"`
	// Silenced is why a MASTER's interface does not take its adverts; absent if
	// it does.
	Silenced *Reason `json:"silenced,omitempty"`
	// Waits say what holds the instance back from being MASTER for a while.
	Waits []Wait `json:"waits,omitempty"`
	// Routes and Rules move with the addresses.
	Routes   []Policy `json:"routes,omitempty"`
	Rules    []Policy `json:"rules,omitempty"`
	Reasons  []Reason `json:"reasons"` // why FAULT; empty otherwise
	Counters Counters `json:"counters"`
}

// A Peer is another router that speaks as MASTER.
type Peer struct {
	Address string `json:"address"`
	// MAC is the Ethernet source of a rival's adverts; "" until an advert told it,
	// and for who is no rival.
	MAC        string    `json:"mac,omitempty"`
	Priority   int       `json:"priority"`
	IntervalMS float64   `json:"interval_ms"`
	LastHeard  time.Time `json:"last_heard"`
}

// A RefusedSpeaker is another router that uses our VRID and whose adverts are
// refused, which is often a mistake in a configuration.
type RefusedSpeaker struct {
	Address    string    `json:"address"`
	Reason     string    `json:"reason"`      // of the last advert, as in counters.dropped
	Problem    string    `json:"problem"`     // reason for people
	Priority   int       `json:"priority"`    // in the last advert
	IntervalMS float64   `json:"interval_ms"` // in the last advert; 0: it could not be decoded
	Since      time.Time `json:"since"`       // of the first advert
	LastHeard  time.Time `json:"last_heard"`
	Count      uint64    `json:"count"` // of adverts
	// Advertises says that it advertises as MASTER: three adverts came in a row,
	// and the last one less than three intervals ago.
	Advertises bool `json:"advertises"`
}

// A Wait is a delay of the configuration that has not ended yet.
type Wait struct {
	Key   string    `json:"key"` // start_delay, link_delay or min_hold
	Until time.Time `json:"until"`
}

// A Policy is a route or a routing rule of ours.
type Policy struct {
	Text    string `json:"text"`    // in the words of ip route or ip rule
	Present bool   `json:"present"` // it is in the kernel
	// Why is what keeps it from being there, where the addresses are.
	Why string `json:"why,omitempty"`
}

// A Reason is one thing that keeps an instance in FAULT.
type Reason struct {
	Key   string    `json:"key"` // identity, such as "link"
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// Counters count since the instance was started.
type Counters struct {
	Since            time.Time `json:"since,omitzero"` // when that was
	AdvertsSent      uint64    `json:"adverts_sent"`
	AdvertsReceived  uint64    `json:"adverts_received"`   // that passed every check
	StopSent         uint64    `json:"priority0_sent"`     // of the adverts sent
	StopReceived     uint64    `json:"priority0_received"` // of the adverts received
	RivalAdverts     uint64    `json:"rival_adverts"`      // of a lower priority, heard as MASTER
	AddressMismatch  uint64    `json:"address_mismatch"`   // adverts heeded though their addresses differ
	IntervalDiffers  uint64    `json:"interval_differs"`   // adverts heeded though their interval differs
	Transitions      uint64    `json:"transitions"`
	BecameMaster     uint64    `json:"became_master"`      // of the transitions
	AnnouncementsOut uint64    `json:"announcements_sent"` // gratuitous ARP and unsolicited neighbour advertisements
	// Dropped counts adverts by the reason for which they were not heeded;
	// reasons that never came up are left out.
	Dropped map[string]uint64 `json:"dropped"`
	// LastError is the latest reason that is a protocol error: hop_limit,
	// version or checksum.
	LastError string `json:"last_error,omitempty"`
	// AdvertsLate were sent more than half an interval after their time;
	// MaxLateMS is the longest delay of any advert.
	AdvertsLate uint64  `json:"adverts_late"`
	MaxLateMS   float64 `json:"max_late_ms"`
}

// A Group is a sync group.
type Group struct {
	Name    string    `json:"name"`
	State   string    `json:"state"`
	Members []string  `json:"members"`
	Since   time.Time `json:"since"`
}

// A Tracker is something on which the mastership of instances depends.
type Tracker struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	State  string    `json:"state"`            // unknown, up or down
	Since  time.Time `json:"since,omitzero"`   // of State
	Number *int      `json:"number,omitempty"` // of a file
	// Reason is why the latest look was not good, or what is strange about it.
	Reason   string    `json:"reason,omitempty"`
	LastLook time.Time `json:"last_look,omitzero"`
	TookMS   float64   `json:"took_ms"` // the latest look
	Looks    uint64    `json:"looks"`
	Bad      uint64    `json:"looks_bad"`       // of these
	TimedOut uint64    `json:"looks_timed_out"` // of the bad ones
	// Note says in what the tracker is less than it could be here.
	Note string `json:"note,omitempty"`
	// For gives the weight by instance; 0 is a fault while it is down.
	For map[string]int `json:"for"`
}

// BFD is the sessions of Bidirectional Forwarding Detection.
type BFD struct {
	Sessions []BFDSession `json:"sessions"`
	// Dropped counts packets that are no session's by the reason for which they
	// were not heeded.
	Dropped map[string]uint64 `json:"dropped"`
}

// A BFDSession is one with a neighbour.
type BFDSession struct {
	Name          string    `json:"name"`
	Neighbour     string    `json:"neighbour"`
	Source        string    `json:"source,omitempty"`
	Interface     string    `json:"interface,omitempty"`
	Multihop      bool      `json:"multihop"`
	State         string    `json:"state"` // AdminDown, Down, Init or Up
	Since         time.Time `json:"since"`
	Reason        string    `json:"reason"` // of State
	Diag          string    `json:"diag"`   // that we tell
	Discriminator uint32    `json:"discriminator"`
	Port          int       `json:"port"` // that packets come from; 0: there is no socket
	// TxMS is the time between our packets, before jitter; 0: there are none.
	TxMS        float64   `json:"tx_ms"`
	DetectionMS float64   `json:"detection_ms"` // how long the neighbour may be silent; 0: it is not heard
	LastHeard   time.Time `json:"last_heard,omitzero"`
	// Remote is what the neighbour reports; nil: it is not heard.
	Remote *BFDRemote `json:"remote,omitempty"`
	// Trouble is why packets cannot be heard or sent.
	Trouble         string `json:"trouble,omitempty"`
	PacketsSent     uint64 `json:"packets_sent"`
	PacketsUnsent   uint64 `json:"packets_unsent"`   // that the kernel refused
	PacketsReceived uint64 `json:"packets_received"` // that passed every check
	Ups             uint64 `json:"ups"`              // how often it came Up
	Downs           uint64 `json:"downs"`            // how often it left Up
	// Dropped counts packets by the reason for which they were not heeded.
	Dropped  map[string]uint64 `json:"dropped"`
	LastDrop string            `json:"last_drop,omitempty"` // the latest reason
}

// A BFDRemote is a session as the neighbour tells it.
type BFDRemote struct {
	State         string  `json:"state"`
	Diag          string  `json:"diag"`
	Discriminator uint32  `json:"discriminator"`
	MinTxMS       float64 `json:"min_tx_ms"`
	MinRxMS       float64 `json:"min_rx_ms"`
	Multiplier    int     `json:"multiplier"`
}

// LVS is the IPVS table and the sync daemons.
type LVS struct {
	// Error says why the table cannot be read or written; "" if it can.
	Error    string              `json:"error,omitempty"`
	Sync     *Sync               `json:"sync,omitempty"` // nil: not configured
	Services []lvs.ServiceStatus `json:"services"`
	// RatesNote is why the counters have no rates; "" if they have.
	RatesNote string `json:"rates_note,omitempty"`
	Repairs   uint64 `json:"repairs"` // changes made because somebody else had changed the table
}

// Sync is the state of connection synchronisation.
type Sync struct {
	Interface string   `json:"interface"`
	ID        int      `json:"id"`
	Follow    string   `json:"follow,omitempty"`
	Roles     []string `json:"roles"` // what runs: master, backup
	Error     string   `json:"error,omitempty"`
}

// JSON is the status as the control socket tells it.
func (s *Status) JSON() ([]byte, error) {
	s.Complete()
	text, err := json.MarshalIndent(s, "", "  ")
	return append(text, '\n'), err
}

// Complete replaces absent lists by empty ones, so that readers of the JSON need
// not tell null from [].
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
	if s.LVS == nil {
		return
	}
	s.LVS.Services = list(s.LVS.Services)
	for i := range s.LVS.Services {
		s.LVS.Services[i].Servers = list(s.LVS.Services[i].Servers)
	}
	if s.LVS.Sync != nil {
		s.LVS.Sync.Roles = list(s.LVS.Sync.Roles)
	}
}

func (b *BFD) complete() {
	if b == nil {
		return
	}
	b.Sessions = list(b.Sessions)
	if b.Dropped == nil {
		b.Dropped = map[string]uint64{}
	}
	for i := range b.Sessions {
		if b.Sessions[i].Dropped == nil {
			b.Sessions[i].Dropped = map[string]uint64{}
		}
	}
}

func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Unwell returns what is not as it should be, one sentence each; nothing if all
// is well. A BACKUP is well; so is a service while none of its servers has had
// a verdict.
func (s *Status) Unwell() []string {
	var problems []string
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if r := s.Config.LastReload; r != nil && !r.OK {
		say("the last reload failed, the configuration before it is in force")
	}
	for _, i := range s.VRRP {
		if i.State == "FAULT" {
			say("vrrp %s is in FAULT", i.Name)
		}
		if i.Silenced != nil {
			say("vrrp %s: its adverts have not been sent for %s: %s", i.Name, s.ago(i.Silenced.Since), i.Silenced.Text)
		}
		if i.CededTo != nil {
			say("vrrp %s: %s is configured with priority 255 too", i.Name, i.CededTo.Address)
		}
		if i.Rival != nil {
			say("vrrp %s: %s advertises as MASTER too", i.Name, i.Rival.Address)
		}
		for _, r := range i.RefusedSpeakers {
			if i.State == "MASTER" && r.Advertises {
				say("vrrp %s: %s advertises as MASTER too, but its adverts are refused: %s", i.Name, r.Address, r.Problem)
			}
		}
		for _, p := range slices.Concat(i.Routes, i.Rules) {
			if i.missing(&p) {
				say("vrrp %s: %s is missing: %s", i.Name, p.Text, p.Why)
			}
		}
	}
	for _, p := range s.Problems {
		if p.VRRP != "" {
			say("vrrp %s: %s", p.VRRP, p.Text)
		} else {
			say("%s", p.Text)
		}
	}
	for i := range s.Notify {
		if o := &s.Notify[i]; !o.FailingSince.IsZero() && o.Name != OutletScripts {
			say("notify %s: %s", o.Name, o.LastError)
		}
	}
	if b := s.DBus; b != nil && b.Error != "" {
		say("dbus: %s is not on the bus: %s", b.Name, b.Error)
	}
	if s.BFD != nil {
		for i := range s.BFD.Sessions {
			if k := &s.BFD.Sessions[i]; k.Trouble != "" {
				say("bfd %s: %s", k.Name, k.Trouble)
			}
		}
	}
	if n := s.SNMP; n != nil && !n.Connected && n.Error != "" {
		say("snmp: not connected to %s: %s", n.AgentX, n.Error)
	}
	if s.LVS == nil {
		return problems
	}
	for problem := range strings.Lines(s.LVS.Error) {
		say("lvs: %s", strings.TrimSpace(problem))
	}
	if s.LVS.Sync != nil && s.LVS.Sync.Error != "" {
		say("lvs sync: %s", s.LVS.Sync.Error)
	}
	for i := range s.LVS.Services {
		v := &s.LVS.Services[i]
		switch {
		case v.Foreign || !v.Wanted:
		case !v.Present:
			say("service %s is not in the kernel", v.Name)
		case v.ServersUp == 0 && judged(v):
			say("service %s has no server that is up", v.Name)
		}
	}
	return problems
}

// missing tells whether a route or rule should be there and cannot be. One that
// has no reason is being put there.
func (i *Instance) missing(p *Policy) bool { return i.Holding && !p.Present && p.Why != "" }

// judged tells whether a server of v is known to be down.
func judged(v *lvs.ServiceStatus) bool {
	for _, r := range v.Servers {
		if r.Health == lvs.Down.String() && !r.Fallback {
			return true
		}
	}
	return false
}
