package notify

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/program"
)

// A Kind is what an Event is about. Its text is the first argument of a script.
type Kind string

// The kinds.
const (
	Instance Kind = "INSTANCE" // a virtual router
	Group    Kind = "GROUP"    // a sync group
	Service  Kind = "SERVICE"  // a virtual service: has it a server that is up?
	Server   Kind = "SERVER"   // a realserver of a virtual service
)

// The states: the first four of instances and groups, the others of services
// and servers.
const (
	Master = "MASTER"
	Backup = "BACKUP"
	Fault  = "FAULT"
	Stop   = "STOP"
	Up     = "UP"
	Down   = "DOWN"
)

// What else an Event's State may be: moments, which leave the state as it is.
const (
	// Rival: while MASTER, an instance hears another router speak as MASTER.
	Rival = "RIVAL"
	// RivalGone: that router is silent again, and the instance still MASTER.
	// When it is not any more, its change of state tells.
	RivalGone = "RIVAL_GONE"
	// Priority: the priority in force of an instance is another one.
	Priority = "PRIORITY"
	// Deleted: a reload removed an instance or group. STOP went before.
	Deleted = "DELETED"
)

// A moment is a kind of news about a subject. What waits to be told gives way to
// newer news of its own kind only.
type moment uint8

const (
	transition moment = iota
	rivalry
	pricing
	deletion
)

// momentOf returns what kind of news a State is.
func momentOf(state string) moment {
	switch state {
	case Rival, RivalGone:
		return rivalry
	case Priority:
		return pricing
	case Deleted:
		return deletion
	}
	return transition
}

// An Event is one change that scripts are told of.
type Event struct {
	Kind     Kind
	Name     string // of the instance, group or service; "service/server" for a server
	State    string // one of the states of the Kind, or a moment
	OldState string // "" when there was none; with a moment the state that lasts
	// Priority is the last argument: the priority in force of an instance, 0 for
	// a group, the weight of a server, the count of servers up of a service.
	Priority    int
	Reason      string // for people
	At          time.Time
	OldPriority int   // with Priority: the one before
	VRRP        *VRRP // with Kind Instance
	Rival       *Peer // with Rival and RivalGone
	LVS         *LVS  // with the Kinds Service and Server
}

// VRRP is what an instance's script may want to know of it.
type VRRP struct {
	Interface string // the parent, such as eth0
	Device    string // the macvlan that holds the addresses; "" without one
	Family    string // ipv4 or ipv6
	VRID      int
	Addresses []string // with prefix length
}

// A Peer is another router that speaks as MASTER.
type Peer struct {
	Address  string
	Priority int
	MAC      string // "" if it was not seen
}

// LVS is what a service's or server's script may want to know of it.
type LVS struct {
	Service        string
	ServiceAddress string // address:port; "" for a fwmark service
	Protocol       string // tcp, udp, sctp; "" for a fwmark service
	Mark           uint32
	Server         string // "" with Kind Service
	ServerAddress  string
	ServersUp      int // of the service, after the change
	ServersTotal   int
}

// args returns the arguments that follow the configured ones.
func (e *Event) args() []string {
	return []string{string(e.Kind), e.Name, e.State, strconv.Itoa(e.Priority)}
}

// Environ returns the whole environment of a script that is told e, as
// "NAME=value": PATH, LANG, HOLDFAST_TYPE, _NAME, _STATE, _OLD_STATE, _PRIORITY,
// _REASON, _TIME (RFC 3339 with nanoseconds), _DIRECTOR; with PRIORITY also
// _OLD_PRIORITY; with RIVAL and RIVAL_GONE _RIVAL (its address), _RIVAL_PRIORITY
// and _RIVAL_MAC; for an instance also _INTERFACE, _DEVICE, _FAMILY, _VRID and _ADDRESSES (separated by spaces);
// for services and servers _SERVICE, _SERVICE_ADDRESS, _PROTOCOL, _MARK,
// _SERVERS_UP, _SERVERS_TOTAL, and for servers _SERVER, _SERVER_ADDRESS and
// _WEIGHT.
func (e *Event) Environ(director string) []string {
	env := []string{"PATH=" + program.Path, "LANG=C.UTF-8"}
	set := func(name, value string) { env = append(env, "HOLDFAST_"+name+"="+oneLine(value)) }
	set("TYPE", string(e.Kind))
	set("NAME", e.Name)
	set("STATE", e.State)
	set("OLD_STATE", e.OldState)
	set("PRIORITY", strconv.Itoa(e.Priority))
	set("REASON", e.Reason)
	set("TIME", e.At.Format(time.RFC3339Nano))
	set("DIRECTOR", director)
	if e.State == Priority {
		set("OLD_PRIORITY", strconv.Itoa(e.OldPriority))
	}
	if r := e.Rival; r != nil {
		set("RIVAL", r.Address)
		set("RIVAL_PRIORITY", strconv.Itoa(r.Priority))
		set("RIVAL_MAC", r.MAC)
	}
	if v := e.VRRP; v != nil {
		set("INTERFACE", v.Interface)
		set("DEVICE", cmp.Or(v.Device, v.Interface))
		set("FAMILY", v.Family)
		set("VRID", strconv.Itoa(v.VRID))
		set("ADDRESSES", strings.Join(v.Addresses, " "))
	}
	if l := e.LVS; l != nil {
		set("SERVICE", l.Service)
		set("SERVICE_ADDRESS", l.ServiceAddress)
		set("PROTOCOL", l.Protocol)
		set("MARK", strconv.FormatUint(uint64(l.Mark), 10))
		set("SERVERS_UP", strconv.Itoa(l.ServersUp))
		set("SERVERS_TOTAL", strconv.Itoa(l.ServersTotal))
		if e.Kind == Server {
			set("SERVER", l.Server)
			set("SERVER_ADDRESS", l.ServerAddress)
			set("WEIGHT", strconv.Itoa(e.Priority))
		}
	}
	return env
}

// oneLine replaces control characters by spaces: a NUL would make the kernel
// refuse the whole environment, and a reason may quote what a realserver sent.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
