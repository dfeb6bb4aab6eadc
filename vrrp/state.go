package vrrp

// A State is a state of the virtual router (RFC 9568 §6.3, RFC 3768 §6.3),
// and Fault, in which it cannot take part.
type State uint8

// The states.
const (
	Init   State = iota // not started, or stopped
	Backup              // another router is MASTER, or an election runs
	Master              // holds the addresses and advertises
	Fault               // cannot be MASTER: link down, address missing, check failed
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

// MarshalText makes states readable in JSON.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
