package notify

import (
	"cmp"
	"strconv"
	"strings"
	"time"
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

// An Event is one change that scripts are told of.
type Event struct {
	Kind     Kind
	Name     string // of the instance, group or service; "service/server" for a server
	State    string // one of the states of the Kind
	OldState string // "" when there was none
	// Priority is the last argument: the priority in force of an instance, 0 for
	// a group, the weight of a server, the count of servers up of a service.
	Priority int
	Reason   string // for people
	At       time.Time
	VRRP     *VRRP // with Kind Instance
	LVS      *LVS  // with the Kinds Service and Server
}

// VRRP is what an instance's script may want to know of it.
type VRRP struct {
	Interface string // the parent, such as eth0
	Device    string // the macvlan that holds the addresses; "" without one
	Family    string // ipv4 or ipv6
	VRID      int
	Addresses []string // with prefix length
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

// path is the search path of scripts: the daemon's own is whoever started it's.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environ returns the whole environment of a script that is told e, as
// "NAME=value": PATH, LANG, HOLDFAST_TYPE, _NAME, _STATE, _OLD_STATE, _PRIORITY,
// _REASON, _TIME (RFC 3339 with nanoseconds), _DIRECTOR; for an instance
// also _INTERFACE, _DEVICE, _FAMILY, _VRID and _ADDRESSES (separated by spaces);
// for services and servers _SERVICE, _SERVICE_ADDRESS, _PROTOCOL, _MARK,
// _SERVERS_UP, _SERVERS_TOTAL, and for servers _SERVER, _SERVER_ADDRESS and
// _WEIGHT.
func (e *Event) Environ(director string) []string {
	env := []string{"PATH=" + path, "LANG=C.UTF-8"}
	set := func(name, value string) { env = append(env, "HOLDFAST_"+name+"="+oneLine(value)) }
	set("TYPE", string(e.Kind))
	set("NAME", e.Name)
	set("STATE", e.State)
	set("OLD_STATE", e.OldState)
	set("PRIORITY", strconv.Itoa(e.Priority))
	set("REASON", e.Reason)
	set("TIME", e.At.Format(time.RFC3339Nano))
	set("DIRECTOR", director)
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
