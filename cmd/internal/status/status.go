// Package status defines Status, the state of the director, and its forms: JSON for
// programs and text for people.
package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/checker"
	"holdfast/lvs"
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
	BFD      *BFD      `json:"bfd,omitempty"` // nil: not configured
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
}

// A Problem is a fault or conflict that the daemon cannot repair at present.
type Problem struct {
	// Kind is device, address, sysctl, routes, nftables, journal, leftovers or
	// kernel if the daemon could not repair the object. Kind is conflict-address,
	// conflict-mac, conflict-rule, conflict-firewall or conflict-ipvs if the object
	// conflicts with ours. Kind is check if a check of a server that is well found
	// something, such as a certificate that will expire soon. Kind is resource if
	// something does not run where it should, or may run where it should not. Kind is
	// listen for an HTTP listener.
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`                // name of the object
	VRRP      string    `json:"vrrp,omitempty"`      // the affected virtual router
	Interface string    `json:"interface,omitempty"` // the interface that has the address or the MAC
	Address   string    `json:"address,omitempty"`   // with prefix length
	Text      string    `json:"text"`                // for people
	Since     time.Time `json:"since"`
}

// An Alert is a failure that a rule for alerts is about. It is there from the failure
// to the recovery, whether or not a message was sent.
type Alert struct {
	Rule     string    `json:"rule"`
	Kind     string    `json:"kind"` // of the event that reported the failure
	Subject  string    `json:"subject"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"`           // since then
	Sent     int       `json:"sent"`               // messages
	AckedBy  string    `json:"acked_by,omitempty"` // "": nobody
}

// A Resource is something that runs where a group or lone instance is MASTER.
type Resource struct {
	Name  string `json:"name"`
	Group string `json:"group"` // the group, or lone instance, that it belongs to
	Type  string `json:"type"`  // systemd, lsb, ocf or command; "": it is not configured any more
	// State is stopped, starting, started, stopping, failed or stuck: it could not be
	// stopped.
	State           string    `json:"state"`
	Since           time.Time `json:"since"` // since when State has had this value
	BeforeAddresses bool      `json:"before_addresses,omitempty"`
	Action          string    `json:"action,omitempty"`  // start, stop or status, which runs now; "": none
	Problem         string    `json:"problem,omitempty"` // the last failure; "" after a success
	Failures        int       `json:"failures"`          // in a row
	LastLook        time.Time `json:"last_look,omitzero"`
	RetryAt         time.Time `json:"retry_at,omitzero"` // when a failed one is tried anew
}

// DBus is the state of the D-Bus service.
type DBus struct {
	Bus       string    `json:"bus"`  // as configured
	Name      string    `json:"name"` // D-Bus name of the service
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // since when Connected has had this value
	Error     string    `json:"error,omitempty"` // why the daemon is not connected
	// SignalsSent counts signals that the bus accepted. SignalsDropped counts
	// signals that were dropped because too many were queued.
	SignalsSent    uint64 `json:"signals_sent"`
	SignalsDropped uint64 `json:"signals_dropped"`
}

// SNMP is the state of the AgentX connection to the SNMP master agent.
type SNMP struct {
	AgentX    string    `json:"agentx"` // address of the master agent
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`           // since when Connected has had this value
	Error     string    `json:"error,omitempty"` // why the daemon is not connected
	Requests  uint64    `json:"requests"`        // requests answered
	// TrapsSent counts traps that the master agent accepted. TrapsQueued is how
	// many traps wait to be sent. TrapsDropped counts traps that were dropped
	// because too many were queued, they were too old, or the master agent refused
	// them.
	TrapsSent    uint64 `json:"traps_sent"`
	TrapsQueued  int    `json:"traps_queued"`
	TrapsDropped uint64 `json:"traps_dropped"`
}

// OutletScripts is the Name of the outlet for scripts. A failed script affects only
// its own event. The daemon still runs the scripts for the next event.
const OutletScripts = "scripts"

// An Outlet is the state of one outlet for events: the scripts, or a receiver such as
// a FIFO.
type Outlet struct {
	Name      string `json:"name"`      // "scripts", or type and target: "fifo /run/holdfast/notify.fifo"
	Queued    int    `json:"queued"`    // events that wait or are being delivered
	Delivered uint64 `json:"delivered"` // events; for scripts, runs that succeeded
	Failed    uint64 `json:"failed"`    // deliveries that failed, which may be tried again; for scripts, runs
	// Dropped counts events that were not delivered because too many were queued,
	// they were too old, or the receiver refused them. For scripts, Dropped counts
	// states that ended before the script could run.
	Dropped      uint64    `json:"dropped"`
	LastDelivery time.Time `json:"last_delivery,omitzero"`
	LastError    string    `json:"last_error,omitempty"` // the latest error, kept after later successes
	LastErrorAt  time.Time `json:"last_error_at,omitzero"`
	FailingSince time.Time `json:"failing_since,omitzero"` // zero: the latest delivery succeeded
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

// An ExtraInterface is an additional interface on which a virtual router has addresses.
type ExtraInterface struct {
	Interface string   `json:"interface"`
	Device    string   `json:"device,omitempty"` // the macvlan; "" if the addresses are on the interface
	Addresses []string `json:"addresses"`
}

// An Instance is the state of a virtual router.
type Instance struct {
	Name      string `json:"name"`
	Group     string `json:"group,omitempty"`
	Interface string `json:"interface"`
	// IfIndex is the index of the interface. While the interface does not exist,
	// IfIndex keeps the last index.
	IfIndex int    `json:"ifindex,omitempty"`
	Device  string `json:"device,omitempty"` // the macvlan; "" if the addresses are on the interface
	MAC     string `json:"mac,omitempty"`    // MAC address that the addresses use
	// ExtraInterfaces are the interfaces other than Interface that have addresses.
	ExtraInterfaces []ExtraInterface `json:"elsewhere,omitempty"`
	Family          string           `json:"family"` // ipv4 or ipv6
	VRID            int              `json:"vrid"`
	Protocol        int              `json:"vrrp_version"`        // 2 or 3
	Multicast       string           `json:"multicast,omitempty"` // destination group of the adverts; "" with unicast
	State           string           `json:"state"`               // INIT, BACKUP, MASTER or FAULT
	Since           time.Time        `json:"since"`
	Why             string           `json:"why,omitempty"` // reason of the last transition
	// UpSince is when the instance left INIT or FAULT. It is absent in these states.
	UpSince time.Time `json:"up_since,omitzero"`
	// Takeover is why the instance last became MASTER: priority (the instance owns
	// the addresses, or the MASTER gave up), preempted or no_response. It is "" if
	// the instance was never MASTER.
	Takeover string `json:"takeover,omitempty"`
	// Holding is true while the addresses are on the device. Holding and State
	// disagree for a moment around a transition.
	Holding           bool     `json:"holding"`
	Priority          int      `json:"priority"` // configured priority
	EffectivePriority int      `json:"effective_priority"`
	IntervalMS        float64  `json:"interval_ms"` // advert interval in milliseconds
	Preempt           bool     `json:"preempt"`
	Addresses         []string `json:"addresses"` // with prefix length
	// Excluded lists the members of Addresses that the adverts omit.
	Excluded []string `json:"excluded,omitempty"`
	// Refused is true if packets to the addresses are not accepted (accept =
	// false). Egress is true if packets from the addresses leave through the device.
	Refused bool `json:"refused,omitempty"`
	Egress  bool `json:"egress,omitempty"`
	// Peers are the routers whose adverts the instance accepts; nil: all routers.
	// Unicast is true if the instance sends its adverts to each peer.
	Peers   []string `json:"peers,omitempty"`
	Unicast bool     `json:"unicast,omitempty"`
	// Auth is how adverts are authenticated: password, ah or hmac; "": they are not.
	Auth string `json:"auth,omitempty"`
	// Source is the source address of the adverts; "" if there is none.
	Source string `json:"source,omitempty"`
	// Master is the MASTER that sent the last advert. It is nil while this instance
	// is MASTER and until an advert is received.
	Master *Peer `json:"master,omitempty"`
	// Rival is another router that advertises as MASTER while this instance is MASTER.
	Rival *Peer `json:"rival,omitempty"`
	// RefusedSpeakers lists at most 16 other routers whose adverts for this virtual
	// router are refused, in no particular order. RefusedForgotten is how many more
	// such routers there were.
	RefusedSpeakers  []RefusedSpeaker `json:"refused_speakers,omitempty"`
	RefusedForgotten uint64           `json:"refused_forgotten,omitempty"`
	// CededTo is another owner of the addresses. Because of this router, the
	// instance lowered its priority from 255 to 254.
	CededTo *Peer `json:"ceded_to,omitempty"`
	// Silenced is why a MASTER cannot send its adverts on its interface. It is absent
	// if the MASTER can send them.
	Silenced *Reason `json:"silenced,omitempty"`
	// Waits lists the delays that temporarily keep the instance from being MASTER.
	Waits []Wait `json:"waits,omitempty"`
	// Routes and Rules move with the addresses.
	Routes   []Policy `json:"routes,omitempty"`
	Rules    []Policy `json:"rules,omitempty"`
	Reasons  []Reason `json:"reasons"` // why the state is FAULT; empty in other states
	Counters Counters `json:"counters"`
}

// A Peer is another router that advertises as MASTER.
type Peer struct {
	Address string `json:"address"`
	// MAC is the source MAC address of a rival's adverts. It is "" until an advert
	// shows it, and for peers that are not rivals.
	MAC        string    `json:"mac,omitempty"`
	Priority   int       `json:"priority"`
	IntervalMS float64   `json:"interval_ms"`
	LastHeard  time.Time `json:"last_heard"`
}

// A RefusedSpeaker is another router that uses our VRID and whose adverts are
// refused. The cause is often a configuration mistake.
type RefusedSpeaker struct {
	Address    string    `json:"address"`
	Reason     string    `json:"reason"`      // why the last advert was refused, as in counters.dropped
	Problem    string    `json:"problem"`     // the reason as text for people
	Priority   int       `json:"priority"`    // in the last advert
	IntervalMS float64   `json:"interval_ms"` // in the last advert; 0: the advert could not be decoded
	Since      time.Time `json:"since"`       // when the first advert arrived
	LastHeard  time.Time `json:"last_heard"`
	Count      uint64    `json:"count"` // refused adverts
	// Advertises is true if the router advertises as MASTER: three adverts arrived
	// in a row, the last one less than three intervals ago.
	Advertises bool `json:"advertises"`
}

// A Wait is a delay that has not ended yet.
type Wait struct {
	Key string `json:"key"` // start_delay, link_delay, min_hold or preempt_wait
	// Until is when it ends; absent with preempt_wait, of which Text says what it waits
	// for.
	Until time.Time `json:"until,omitzero"`
	Text  string    `json:"text,omitempty"`
}

// A Policy is a route or a routing rule of a virtual router.
type Policy struct {
	Text    string `json:"text"`    // in the syntax of ip route or ip rule
	Present bool   `json:"present"` // the route or rule is in the kernel
	// Why is what keeps the route or rule out of the kernel while the addresses are
	// on this host.
	Why string `json:"why,omitempty"`
}

// A Reason is one thing that keeps an instance in FAULT.
type Reason struct {
	Key   string    `json:"key"` // identifier, such as "link"
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// Counters count since the instance was started.
type Counters struct {
	Since            time.Time `json:"since,omitzero"` // when the instance was started
	AdvertsSent      uint64    `json:"adverts_sent"`
	AdvertsReceived  uint64    `json:"adverts_received"`   // adverts that passed every check
	StopSent         uint64    `json:"priority0_sent"`     // adverts sent with priority 0
	StopReceived     uint64    `json:"priority0_received"` // adverts received with priority 0
	RivalAdverts     uint64    `json:"rival_adverts"`      // adverts of a lower priority, received while MASTER
	AddressMismatch  uint64    `json:"address_mismatch"`   // adverts accepted although their addresses differ
	IntervalDiffers  uint64    `json:"interval_differs"`   // adverts accepted although their interval differs
	Transitions      uint64    `json:"transitions"`
	BecameMaster     uint64    `json:"became_master"`      // transitions to MASTER
	AnnouncementsOut uint64    `json:"announcements_sent"` // gratuitous ARP and unsolicited neighbour advertisements
	// Moves counts the transitions by the states before and after, such as
	// "BACKUP MASTER". It omits those that never occurred.
	Moves map[string]uint64 `json:"moves,omitempty"`
	// Dropped counts the adverts that were not accepted, by reason. It omits
	// reasons that never occurred.
	Dropped map[string]uint64 `json:"dropped"`
	// LastError is the latest drop reason that is a protocol error: hop_limit,
	// version or checksum.
	LastError string `json:"last_error,omitempty"`
	// AdvertsLate counts adverts that were sent more than half an interval late.
	// MaxLateMS is the longest delay of any advert, in milliseconds.
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

// A Tracker is the state of an object on which the mastership of instances depends.
type Tracker struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	State  string    `json:"state"`            // unknown, up or down
	Since  time.Time `json:"since,omitzero"`   // since when State has had this value
	Number *int      `json:"number,omitempty"` // content of a tracked file
	// Reason is why the latest look had a bad result, or a remark about that look.
	Reason   string    `json:"reason,omitempty"`
	LastLook time.Time `json:"last_look,omitzero"`
	TookMS   float64   `json:"took_ms"` // duration of the latest look, in milliseconds
	Looks    uint64    `json:"looks"`
	Bad      uint64    `json:"looks_bad"`       // looks that had a bad result
	TimedOut uint64    `json:"looks_timed_out"` // bad looks that timed out
	// Note says how the tracker is limited on this host.
	Note string `json:"note,omitempty"`
	// For maps the name of each instance to its weight. With weight 0, the instance
	// is in FAULT while the tracker is down.
	For map[string]int `json:"for"`
}

// BFD is the state of Bidirectional Forwarding Detection.
type BFD struct {
	Sessions []BFDSession `json:"sessions"`
	// Dropped counts, by reason, the packets that were not accepted and belong to no
	// session.
	Dropped map[string]uint64 `json:"dropped"`
}

// A BFDSession is the state of a BFD session with a neighbour.
type BFDSession struct {
	Name          string    `json:"name"`
	Neighbour     string    `json:"neighbour"`
	Source        string    `json:"source,omitempty"`
	Interface     string    `json:"interface,omitempty"`
	Multihop      bool      `json:"multihop"`
	State         string    `json:"state"` // AdminDown, Down, Init or Up
	Since         time.Time `json:"since"`
	Reason        string    `json:"reason"` // why the session is in State
	Diag          string    `json:"diag"`   // the diagnostic code that we send
	Discriminator uint32    `json:"discriminator"`
	Port          int       `json:"port"` // source port of our packets; 0: there is no socket
	// TxMS is the time between our packets before jitter, in milliseconds. It is 0
	// while we send none.
	TxMS        float64   `json:"tx_ms"`
	DetectionMS float64   `json:"detection_ms"` // detection time in milliseconds; 0: no packets arrive from the neighbour
	LastHeard   time.Time `json:"last_heard,omitzero"`
	// Remote is what the neighbour reports; nil: no packets arrive from the neighbour.
	Remote *BFDRemote `json:"remote,omitempty"`
	// Trouble is why the session cannot receive or send packets.
	Trouble         string `json:"trouble,omitempty"`
	PacketsSent     uint64 `json:"packets_sent"`
	PacketsUnsent   uint64 `json:"packets_unsent"`   // packets that the kernel refused to send
	PacketsReceived uint64 `json:"packets_received"` // packets that passed every check
	Ups             uint64 `json:"ups"`              // how often the session entered Up
	Downs           uint64 `json:"downs"`            // how often the session left Up
	// Dropped counts the packets that were not accepted, by reason.
	Dropped  map[string]uint64 `json:"dropped"`
	LastDrop string            `json:"last_drop,omitempty"` // reason of the latest drop
}

// A BFDRemote is a session as the neighbour reports it. The times are in milliseconds.
type BFDRemote struct {
	State         string  `json:"state"`
	Diag          string  `json:"diag"`
	Discriminator uint32  `json:"discriminator"`
	MinTxMS       float64 `json:"min_tx_ms"`
	MinRxMS       float64 `json:"min_rx_ms"`
	Multiplier    int     `json:"multiplier"`
}

// LVS is the state of the IPVS table and the sync daemons.
type LVS struct {
	// Error is why the daemon cannot read or write the table; "" if it can do both.
	Error    string              `json:"error,omitempty"`
	Sync     *Sync               `json:"sync,omitempty"` // nil: not configured
	Services []lvs.ServiceStatus `json:"services"`
	// RatesNote is why the counters have no rates; "" if they have rates.
	RatesNote string `json:"rates_note,omitempty"`
	Repairs   uint64 `json:"repairs"` // changes that the daemon made because another program had changed the table
}

// A Server is a server of a virtual service.
type Server struct {
	Service string `json:"service"`
	lvs.ServerStatus
}

// Sync is the state of connection synchronisation.
type Sync struct {
	Interface string   `json:"interface"`
	ID        int      `json:"id"`
	Follow    string   `json:"follow,omitempty"`
	Roles     []string `json:"roles"` // sync daemons that run: master, backup
	Error     string   `json:"error,omitempty"`
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

// Unwell returns one sentence for each problem. It returns nil if there is no problem.
// BACKUP is not a problem. A service is not a problem while none of its servers has
// had a verdict.
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
		case v.Foreign || !v.Wanted && v.Active != lvs.ActiveNever.String():
		case v.Wanted && !v.Present:
			say("service %s is not in the kernel", v.Name)
		case v.ServersUp == 0 && judged(v):
			say("service %s has no server that is up", v.Name)
		case v.Health == lvs.Down.String() && v.ServersUp > 0:
			say("service %s is down: the weights of its servers that are up sum up to %d, the quorum is %d", v.Name, v.WeightUp, v.Quorum)
		}
	}
	return problems
}

// missing reports whether a route or rule should be in the kernel but cannot be
// installed. A route or rule without a Why is still being installed.
func (i *Instance) missing(p *Policy) bool { return i.Holding && !p.Present && p.Why != "" }

// judged reports whether a server of v is known to be down.
func judged(v *lvs.ServiceStatus) bool {
	for _, r := range v.Servers {
		if r.Health == lvs.Down.String() && !r.Fallback {
			return true
		}
	}
	return false
}
