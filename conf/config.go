package conf

import (
	"log/slog"
	"time"

	"holdfast/lvs"
	"holdfast/vrrp"
)

// Config is a whole configuration, resolved: every default is filled in and
// every reference between sections holds. It is made of plain values without
// pointers, so reflect.DeepEqual tells whether a part changed in a reload.
type Config struct {
	Director Director
	VRRP     []Instance // in the order of the file, as are Groups and Services
	Groups   []Group
	Tracks   []Track
	BFD      []BFD
	LVS      LVS
	Services []Service
	Notify   Notifications
}

// Director is what concerns the daemon itself.
type Director struct {
	Name       string // the host name unless given
	RuntimeDir string // absolute path
	Log        Log
	Script     Script
	// ReconcileInterval is the longest time that a kernel object stays other
	// than configured when no netlink event tells of the change.
	ReconcileInterval time.Duration
	DBus              DBus
	SNMP              SNMP
}

// SNMP says how SNMP managers see the virtual routers; without an AgentX they
// do not.
type SNMP struct {
	AgentX AgentX
	Traps  bool // RFC 6527's notifications are sent
}

// An AgentX is where an SNMP agent awaits those that extend it, in the notation of its own
// configuration; "" is nowhere.
type AgentX string

// Script says whom programs run as whose Command does not.
type Script struct {
	User, Group string // "": the daemon's, mostly root; and the user's group
}

// Log says what is logged and how it looks.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// A LogFormat is the look of a log line.
type LogFormat string

// The log formats.
const (
	LogAuto LogFormat = "auto" // text on a terminal, JSON otherwise
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// An Instance is a virtual router and the device that carries its addresses.
type Instance struct {
	vrrp.Config
	Interface string // the parent: adverts are received here
	// Device is the macvlan's name, at most 15 characters without dots; "" with
	// MACInterface, which has no device of its own.
	Device string
	MAC    MAC
	// AdvertMAC is from which MAC address adverts come, and TTL the TTL or hop
	// limit with which they are sent by unicast.
	AdvertMAC AdvertMAC
	TTL       uint8
	// TrackLink makes it a fault that the interface has no carrier.
	TrackLink bool
	Egress    bool // what the addresses send leaves by the macvlan
	Accept    bool // packets for the addresses are for this host (RFC 9568 §6.1)
	// Prefixes are the virtual addresses with their prefix lengths, in the
	// order of Config.Addresses.
	Prefixes []Address
	// Excluded are addresses, of either family, that move with the others but
	// are not in the adverts.
	Excluded []Address
	// Extra are the other interfaces that carry some of both.
	Extra    []ExtraInterface
	Announce Announce
	Auth     Auth
	Notify   Notify
	Track    []Tracking
	Routes   []Route
	Rules    []Rule
}

// A MAC says which MAC address the virtual addresses have.
type MAC struct {
	Mode    MACMode
	Address [6]byte // zero with MACInterface
}

// A MACMode is a way to choose the virtual MAC address.
type MACMode uint8

// The modes.
const (
	MACVirtual   MACMode = iota // "vrrp": the virtual router's (RFC 9568 §7.3)
	MACPrivate                  // "private": see PrivateMAC
	MACExplicit                 // written out in the file
	MACInterface                // "interface": the parent's own; there is no macvlan
)

// Announce says how a new MASTER makes its addresses known: gratuitous ARP for
// IPv4, unsolicited neighbour advertisements for IPv6.
type Announce struct {
	Repeat int           // announcements of each address in a burst
	Delay  time.Duration // from the first burst to a second one; 0: no second
	// Refresh is the time between announcements while MASTER; 0: none.
	Refresh       time.Duration
	RefreshRepeat int           // announcements of each address at each refresh
	Interval      time.Duration // pause between two announcements on one interface; 0: none
}

// A Command is a program of the administrator's and how to run it.
type Command struct {
	Argv []string // path and arguments; nil is no command
	// User and Group, names or numbers, are whom it runs as; "" is what
	// Director.Script says, and then the user's group.
	User, Group string
	Timeout     time.Duration // after which it is killed; 0 is what its table says
}

// Notify holds the commands to run at the transitions of an instance or group.
type Notify struct {
	Master, Backup, Fault, Stop Command
	Any                         Command // at every transition, after the one above
	// Moments that leave the state as it is. Groups have Deleted alone.
	Rival    Command       // another MASTER is heard, and when it has fallen silent
	Priority Command       // the priority in force is another one
	Deleted  Command       // a reload removed it; after Stop
	Timeout  time.Duration // after which a command is killed
}

// A Group is a set of instances that are MASTER together or not at all.
type Group struct {
	Name    string
	Members []string // names of instances; none is in two groups
	Notify  Notify
	Track   []Tracking // for every member
}

// LVS is what concerns IPVS as a whole.
type LVS struct {
	// Sync is how connections are copied to the other directors; without an
	// Interface there is no sync daemon.
	Sync     lvs.SyncConfig
	OnStop   OnStop
	Timeouts Timeouts
}

// OnStop says what happens to our virtual services at a clean stop.
type OnStop string

// The choices at a stop.
const (
	Clear OnStop = "clear" // remove them
	Keep  OnStop = "keep"  // leave them in the kernel, working
)

// Timeouts are the connection timeouts of IPVS, whole seconds; 0 leaves the
// kernel's.
type Timeouts struct{ TCP, TCPFin, UDP time.Duration }

// A Service is a virtual service, its servers, and how these are checked.
type Service struct {
	lvs.ServiceConfig
	Check  Check        // what a server inherits
	Notify ServerNotify // what a server inherits
	// Health has one element for each of Servers, in the same order.
	Health []Health
}

// Health says how one server is checked and who hears of it.
type Health struct {
	Check  Check
	Notify ServerNotify
}

// ServerNotify holds the commands to run when a server goes up or down.
type ServerNotify struct {
	Up, Down Command
	Timeout  time.Duration
}
