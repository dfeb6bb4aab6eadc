package vrrp

// A State is a state of the virtual router (RFC 9568 §6.3, RFC 3768 §6.3),
// and Fault, in which it cannot take part.
type State uint8

// The states.
const (
	Init   State = iota // not started, stopped, or waiting for what is Pending
	Backup              // another router is MASTER, or an election runs
	Master              // holds the addresses and advertises
	Fault               // cannot be MASTER: link down, address missing, check failed

	// NumStates is the length of an array with one element per State.
	NumStates = int(iota)
)

// String returns "INIT", "BACKUP", "MASTER" or "FAULT".
func (s State) String() string {
	switch s {
	case Init:
		return "INIT"
	case Backup:
		return "BACKUP"
	case Master:
		return "MASTER"
	case Fault:
		return "FAULT"
	}
	return "?"
}

// A Takeover is why a virtual router became MASTER, in the terms of RFC 6527.
type Takeover uint8

// The takeovers.
const (
	NoTakeover         Takeover = iota // it never became MASTER
	TakeoverPriority                   // it owns the addresses, or the MASTER gave up with priority 0
	TakeoverPreempted                  // the MASTER had a lower priority
	TakeoverNoResponse                 // no MASTER was heard
)

// String returns "priority", "preempted", "no_response", and "" for NoTakeover.
func (t Takeover) String() string {
	switch t {
	case TakeoverPriority:
		return "priority"
	case TakeoverPreempted:
		return "preempted"
	case TakeoverNoResponse:
		return "no_response"
	}
	return ""
}

// MarshalText makes states readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
