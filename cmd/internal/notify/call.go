package notify

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

// A Kind is the kind of subject that a script is called for: its first argument.
type Kind string

// The kinds.
const (
	Instance Kind = "INSTANCE" // a virtual router
	Group    Kind = "GROUP"    // a sync group
	Service  Kind = "SERVICE"  // a virtual service, by whether one of its servers is up
	Server   Kind = "SERVER"   // a realserver of a virtual service
)

// The moments: values of a script's third argument that are not states. The
// subject stays in its state.
const (
	// Rival: while the instance is MASTER, another router sends adverts as MASTER.
	Rival = "RIVAL"
	// RivalGone: the rival stopped, and the instance is still MASTER. If the
	// instance is not MASTER any more, its transition says enough.
	RivalGone = "RIVAL_GONE"
	// Priority: the effective priority of the instance changed.
	Priority = "PRIORITY"
)

// A moment is the kind of a call. A newer call replaces a waiting one only if both
// have the same moment.
type moment uint8

const (
	transition moment = iota
	rivalry
	repricing
	deletion
)

// momentOf returns the moment of a script's third argument.
func momentOf(state string) moment {
	switch state {
	case Rival, RivalGone:
		return rivalry
	case Priority:
		return repricing
	case event.Deleted:
		return deletion
	}
	return transition
}

// A call is an event with the arguments of a script, which use keepalived's words.
type call struct {
	*event.Event
	kind     Kind
	state    string // a state or a moment
	oldState string // "" for the first state; for a moment the present state
	// priority is the last argument: an instance's effective priority, 0 for a
	// group, a server's weight, or the number of servers of a service that are up.
	priority int
}

// callOf returns the call for an event. It reports false if no script is called
// for events of this kind.
func callOf(e *event.Event) (c call, ok bool) {
	c = call{Event: e, state: scriptState(e.To), oldState: scriptState(e.From)}
	switch e.Kind {
	case event.KindGroup:
		c.kind = Group
		return c, e.Group != nil
	case event.KindService:
		if e.Service == nil {
			return c, false
		}
		c.kind, c.priority = Service, e.Service.ServersUp
		return c, true
	case event.KindServer:
		if e.Service == nil {
			return c, false
		}
		c.kind, c.priority = Server, e.Service.Weight
		return c, true
	case event.KindInstance, event.KindRival, event.KindPriority:
		if e.Instance == nil {
			return c, false
		}
		c.kind, c.priority = Instance, e.Instance.Priority
		return c, c.setMoment()
	}
	return c, false
}

// setMoment sets state and oldState for an instance's event that is a moment. It
// reports false if no script is called for it.
func (c *call) setMoment() bool {
	lasting := scriptState(c.Instance.State)
	switch {
	case c.Kind == event.KindPriority:
		c.state, c.oldState = Priority, lasting
	case c.Kind == event.KindRival && c.To == event.RivalSeen:
		c.state, c.oldState = Rival, lasting
	case c.Kind == event.KindRival:
		c.state, c.oldState = RivalGone, lasting
		return lasting == event.Master
	}
	return true
}

// scriptState returns the script's word for a state: STOP for INIT.
func scriptState(state string) string {
	if state == event.Init {
		return event.Stop
	}
	return state
}

// HasCall reports whether scripts are called for an event. Pipes with keepalived's
// lines get the same events.
func HasCall(e *event.Event) bool {
	_, ok := callOf(e)
	return ok
}

// args returns the arguments that follow the configured ones.
func (c *call) args() []string {
	return []string{string(c.kind), c.Subject, c.state, strconv.Itoa(c.priority)}
}

// environ returns the complete environment of the script as "NAME=value": PATH,
// LANG and
//
//   - always HOLDFAST_TYPE, _NAME, _STATE, _OLD_STATE, _PRIORITY, _REASON, _TIME
//     (RFC 3339 with nanoseconds) and _DIRECTOR;
//   - for an instance _INTERFACE, _DEVICE, _FAMILY, _VRID and _ADDRESSES
//     (separated by blanks), with PRIORITY also _OLD_PRIORITY, with RIVAL and
//     RIVAL_GONE also _RIVAL (its address), _RIVAL_PRIORITY and _RIVAL_MAC;
//   - for services and servers _SERVICE, _SERVICE_ADDRESS, _PROTOCOL, _MARK,
//     _SERVERS_UP and _SERVERS_TOTAL, for servers also _SERVER, _SERVER_ADDRESS
//     and _WEIGHT.
func (c *call) environ(director string) []string {
	env := []string{"PATH=" + program.Path, "LANG=C.UTF-8"}
	set := func(name, value string) { env = append(env, "HOLDFAST_"+name+"="+oneLine(value)) }
	set("TYPE", string(c.kind))
	set("NAME", c.Subject)
	set("STATE", c.state)
	set("OLD_STATE", c.oldState)
	set("PRIORITY", strconv.Itoa(c.priority))
	set("REASON", c.Reason)
	set("TIME", c.At.Format(time.RFC3339Nano))
	set("DIRECTOR", director)
	switch c.Kind {
	case event.KindPriority:
		set("OLD_PRIORITY", c.From)
	case event.KindRival:
		set("RIVAL", c.Detail["address"])
		set("RIVAL_PRIORITY", c.Detail["priority"])
		set("RIVAL_MAC", c.Detail["mac"])
	}
	if v := c.Instance; v != nil {
		set("INTERFACE", v.Interface)
		set("DEVICE", cmp.Or(v.Device, v.Interface))
		set("FAMILY", v.Family)
		set("VRID", strconv.Itoa(v.VRID))
		set("ADDRESSES", strings.Join(v.Addresses, " "))
	}
	if s := c.Service; s != nil {
		set("SERVICE", s.Name)
		set("SERVICE_ADDRESS", s.Address)
		set("PROTOCOL", s.Protocol)
		set("MARK", strconv.FormatUint(uint64(s.Mark), 10))
		set("SERVERS_UP", strconv.Itoa(s.ServersUp))
		set("SERVERS_TOTAL", strconv.Itoa(s.ServersTotal))
		if c.kind == Server {
			set("SERVER", s.Server)
			set("SERVER_ADDRESS", s.ServerAddress)
			set("WEIGHT", strconv.Itoa(s.Weight))
		}
	}
	return env
}

// oneLine replaces control characters by blanks: the kernel refuses an
// environment with a NUL in it, and a reason may quote what a realserver sent.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
