// Package event has the one value by which the director says that something
// happened, the journal that keeps such values, and the bus that hands each of
// them to everybody who subscribed: the journal, scripts, pipes, mail, webhooks,
// D-Bus and SNMP.
package event

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// The kinds of Event. All but the last two are in the journal and can be chosen
// in the configuration.
const (
	KindInstance = "instance" // a virtual router changed its state
	KindGroup    = "group"    // a sync group changed its state
	KindService  = "service"  // a virtual service is up or down: its quorum was gained or lost
	KindServer   = "server"   // a realserver is up or down
	KindOperator = "operator" // somebody drained or enabled a server, or set its weight
	KindRival    = "rival"    // another router sends adverts as MASTER beside us, or stopped
	KindPriority = "priority" // the effective priority of a virtual router changed
	KindTracker  = "tracker"  // a tracker is up or down, or its number changed
	KindBFD      = "bfd"      // a BFD session came up or went down
	KindRepair   = "repair"   // a kernel object that somebody else had changed was put back
	KindProblem  = "problem"  // something is not as it should be and cannot be put right, or is right again
	KindConfig   = "config"   // a reload was applied or refused
	KindNotify   = "notify"   // a script failed
	KindResource = "resource" // something that runs where a group is MASTER was started or stopped, or could not be
	KindDirector = "director" // the daemon itself: an upgrade was done or failed, or a MASTER is not preempted yet
	KindFast     = "fast"     // a BACKUP replaces a dead MASTER at once from now on, or no longer
	KindFence    = "fence"    // a MASTER that has vanished was fenced before a takeover, or could not be
	KindAlert    = "alert"    // a rule for alerts has a message
	// KindLost marks a gap in what a reader of the journal gets: events that were
	// overwritten before it asked, or a journal that started again at 1.
	KindLost = "lost"
	// KindProtocolError is an advert of one of our virtual routers that was
	// dropped for a reason that RFC 6527 counts as a protocol error. Only SNMP
	// subscribes to it; it is never in the journal.
	KindProtocolError = "protocol_error"
)

// States: the values of From, To and Instance.State.
const (
	Init   = "INIT"
	Backup = "BACKUP"
	Master = "MASTER"
	Fault  = "FAULT"
	// Stop is what scripts, and lists of states, call Init.
	Stop = "STOP"
	// Deleted is the To of an instance or group that a reload removed.
	Deleted = "DELETED"

	Up   = "UP"   // of services and servers
	Down = "DOWN" // of services and servers
)

// The values of To of a KindRival event. Its Detail has address, priority and,
// once it is known, mac. If its adverts are refused it has refused instead, the
// reason as in the counters of dropped adverts, such as "peer".
const (
	RivalSeen = "seen"
	RivalGone = "gone"
)

// The values of To of a KindFast event.
const (
	FastArmed = "armed" // by its BFD session
	FastPlain = "plain" // as VRRP alone does
)

// The values of To of a KindFence event. Its Detail has group.
const (
	FenceDone   = "fenced"
	FenceFailed = "failed"
)

// The values of To of a KindOperator event. Its Detail has by, and if they apply
// weight, and until as RFC 3339 has it.
const (
	Drained  = "drained"
	Enabled  = "enabled"
	Weighted = "weight"
)

// The values of To of a KindProblem event. Its Detail has object, name and, for a
// conflict, interface and address.
const (
	ProblemFound = "found"
	ProblemGone  = "gone"
)

// An Event is one thing that happened. Its JSON form is the line of
// `holdfast events --json`. Whoever gets an Event must not change what it
// refers to: all subscribers share it.
type Event struct {
	// Seq is the number in the journal. It goes on through restarts and upgrades. 0: the
	// event is not in the journal.
	Seq uint64    `json:"seq"`
	At  time.Time `json:"at"`
	// Cursor is the place after this event, for a reader that comes back. It outlasts a
	// restart of the daemon. Only what is sent to readers has it.
	Cursor string `json:"cursor,omitempty"`
	// Kind is one of the Kind constants.
	Kind string `json:"kind"`
	// Subject is the name of the instance, group, service or tracker; a server
	// is "service/server".
	Subject string            `json:"subject,omitempty"`
	From    string            `json:"from,omitempty"`
	To      string            `json:"to,omitempty"`
	Reason  string            `json:"reason,omitempty"` // for people
	Detail  map[string]string `json:"detail,omitempty"`
	// Snapshot marks an event that is no change: To is the present state of Subject,
	// for a receiver that did not get the changes before. It is never in the journal.
	Snapshot bool `json:"snapshot,omitempty"`

	Alert *Alert `json:"alert,omitempty"` // kind alert

	// What subscribers other than the journal want to know of the subject.
	Instance *Instance `json:"-"` // kinds instance, rival, priority and protocol_error; nil: it is gone
	Group    *Group    `json:"-"` // kind group; nil: it is gone
	Service  *Service  `json:"-"` // kinds service, server and operator; nil: it is gone
	// NotJournaled keeps the event out of the journal, and so out of everything
	// that is told of the journal.
	NotJournaled bool `json:"-"`
}

// An Instance is a virtual router at the moment of an event.
type Instance struct {
	State     string // INIT, BACKUP, MASTER or FAULT; after a transition the new one
	Priority  int    // the effective one
	Interface string // the parent, such as eth0
	IfIndex   int    // of Interface
	Device    string // the macvlan that holds the addresses; "": there is none
	Family    string // ipv4 or ipv6
	VRID      int
	Addresses []string // with prefix length
	Source    string   // the address that its adverts are sent from; "": there is none
	// Takeover is why it became MASTER the last time, as in the status.
	Takeover string
	// Drop is why an advert was dropped, with KindProtocolError.
	Drop string
}

// A Group is a sync group at the moment of an event.
type Group struct {
	Members []string
}

// A Service is a virtual service, and with KindServer one of its servers.
type Service struct {
	Name          string
	Address       string // address:port, or several like "10.0.0.1:80,443 10.0.0.2:80"; "" for a service with a firewall mark
	Protocol      string // tcp, udp or sctp; "" for a service with a firewall mark
	Mark          uint32
	ServersUp     int // after the change
	ServersTotal  int
	Server        string // name of the server; "" with KindService
	ServerAddress string
	Weight        int // of the server, as configured
}

// An Alert is what a rule for alerts has to say. The lists are cut at 100; the totals
// are not.
type Alert struct {
	Down      []AlertEntry `json:"down,omitempty"` // that fail
	DownTotal int          `json:"down_total"`
	Up        []AlertEntry `json:"up,omitempty"` // that have recovered
	UpTotal   int          `json:"up_total"`
	Text      string       `json:"-"` // for people, a line for each subject
	// Call is why a program is called although nothing new fails or has recovered:
	// startup, ack or run; "": something does. With ack By is who has acknowledged, and
	// Comment what that person says.
	Call, By, Comment string `json:"-"`
}

// An AlertEntry is one subject of an Alert.
type AlertEntry struct {
	Kind     string    `json:"kind"` // of the event that reported the failure
	Subject  string    `json:"subject"`
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
	Failures int       `json:"failures"` // since then
	Notices  int       `json:"notices"`  // alerts of this failure, with this one
	// Run is what a monitor of mon said of the service; nil: no monitor asked.
	Run *Run `json:"-"`
}

// A Run is what programs for alerts of mon are told of a run of its monitor.
type Run struct {
	Hosts       []string // the servers of the service
	Environment []string // what the monitor has in its own, NAME=value
	Status      int      // of exit(3); 0: all are well
	// Output is what the monitor printed, and Summary its first line. After a recovery
	// they are those of the run before. Summary is "" if that was well and printed nothing.
	Output, Summary string
	Before          *string // the output of the run before; nil: this is the first
	// FirstFailure and LastFailure are of this failure; LastSuccess is the time of the
	// latest run that found everybody well. Zero: there was none.
	FirstFailure, LastFailure, LastSuccess time.Time
	// First says that the monitor has not failed or succeeded before.
	First bool
	// Source is trap or traptimeout if no monitor has reported this; Intended is the
	// GROUP:SERVICE of a trap that was for a service that does not exist.
	Source, Intended string
}

// JSON returns the event as one line without a line feed.
func (e *Event) JSON() ([]byte, error) { return json.Marshal(e) }

// String returns the event as one line:
//
//	2026-03-01T12:00:00.000+01:00 instance outside BACKUP -> MASTER: no advert heard (priority=150)
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.At.Format("2006-01-02T15:04:05.000Z07:00"))
	b.WriteString(" " + e.Kind)
	if e.Subject != "" {
		b.WriteString(" " + e.Subject)
	}
	switch {
	case e.From != "" && e.To != "":
		b.WriteString(" " + e.From + " -> " + e.To)
	case e.To != "":
		b.WriteString(" " + e.To)
	}
	if e.Reason != "" {
		b.WriteString(": " + strings.ReplaceAll(e.Reason, "\n", "; "))
	}
	if len(e.Detail) > 0 {
		var pairs []string
		for _, key := range slices.Sorted(maps.Keys(e.Detail)) {
			pairs = append(pairs, key+"="+e.Detail[key])
		}
		b.WriteString(" (" + strings.Join(pairs, " ") + ")")
	}
	return b.String()
}
