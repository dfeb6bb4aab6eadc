package conf

import (
	"log/slog"
	"time"

	"holdfast/lvs"
	"holdfast/vrrp"
)

// Config is a whole configuration. Every default is filled in, and every
// reference between sections is valid. It consists of plain values without
// pointers, so reflect.DeepEqual tells whether a reload changes a part.
type Config struct {
	Director Director
	VRRP     []Instance // in the order of the file, as are Groups and Services
	Groups   []Group
	Tracks   []Track
	BFD      []BFD
	LVS      LVS
	Services []Service
	Notify   Notifications
	Alerts   []Alert
	Listens  []Listen
	Page     Page
	Metrics  Metrics
	MonTraps MonTraps
}

// Metrics is how metrics are given to Prometheus.
type Metrics struct {
	KeepalivedNames bool // also the names of the keepalived exporter
}

// Director is the configuration of the daemon itself.
type Director struct {
	Name       string // the host name unless given
	RuntimeDir string // absolute path
	// Journal is the file that keeps the events over restarts; "": none does.
	Journal string
	Log     Log
	Script  Script
	Socket  Socket
	// ReconcileInterval is the pause between two comparisons of the kernel with
	// the configuration. Most differences are found earlier, by netlink events.
	ReconcileInterval time.Duration
	// MaxCheckPrograms bounds how many programs of checks run at once.
	MaxCheckPrograms int
	// MaxChecks bounds how many checks run at once. CheckSpread is the time over which
	// the first checks of new servers are spread.
	MaxChecks   int
	CheckSpread time.Duration
	// Watchdog is the device of a hardware watchdog, "" for none, and WatchdogTimeout
	// the time within which it must be fed.
	Watchdog        string
	WatchdogTimeout time.Duration
	Fast            Fast
	DBus            DBus
	SNMP            SNMP
}

// SNMP is how the virtual routers are published over SNMP. Without an AgentX they
// are not.
type SNMP struct {
	AgentX AgentX
	Traps  bool // send the notifications of RFC 6527
}

// An AgentX is the address of the AgentX socket of an SNMP agent, in the notation
// of snmpd.conf; "" is none.
type AgentX string

// Script is the default user and group of programs.
type Script struct {
	User, Group string // "": the user of the daemon, and the group of the user
}

// Log is the level and the format of the log.
type Log struct {
	Level  slog.Level
	Format LogFormat
}

// A LogFormat is the format of log lines.
type LogFormat string

// The log formats.
const (
	LogAuto LogFormat = "auto" // text on a terminal, JSON otherwise
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// An Instance is a virtual router with the device of its addresses.
type Instance struct {
	vrrp.Config
	Interface string // where adverts are sent and received; the parent of Device
	// Device is the name of the macvlan, at most 15 characters without dots. It is
	// "" with MACInterface, which has no macvlan.
	Device string
	MAC    MAC
	// AdvertMAC is the Ethernet source of adverts, and TTL the TTL or hop limit of
	// unicast adverts.
	AdvertMAC AdvertMAC
	TTL       uint8
	// TrackLink makes it a fault when the interface has no carrier.
	TrackLink bool
	Egress    bool // packets from the addresses leave by the macvlan
	Accept    bool // packets for the addresses are accepted (RFC 9568 §6.1, Accept_Mode)
	// Prefixes are the virtual addresses with their prefix lengths, in the
	// order of Config.Addresses.
	Prefixes []Address
	// Excluded are addresses of either family that move with the others but are
	// not in the adverts.
	Excluded []Address
	// Extra are further interfaces that carry some of Prefixes and Excluded.
	Extra []ExtraInterface
	// Also are the further interfaces by which adverts go; Config.Paths follows from it.
	Also     []Path
	Announce Announce
	Auth     Auth
	Notify   Notify
	Track    []Tracking
	Routes   []Route
	Rules    []Rule
	// PreemptCommand runs instead of a preemption: it has the MASTER hand over.
	PreemptCommand Command
	// Resources run where the instance is MASTER, in the order of their start. An
	// instance that is in a group has none, and no Fence, and no PreemptCommand.
	Resources []Resource
	Fence     Fence
}

// A MAC is the MAC address of the virtual addresses.
type MAC struct {
	Mode    MACMode
	Address [6]byte // zero with MACInterface
}

// A MACMode is how the virtual MAC address is chosen.
type MACMode uint8

// The modes.
const (
	MACVirtual   MACMode = iota // "vrrp": from the VRID (RFC 9568 §7.3)
	MACPrivate                  // "private": see PrivateMAC
	MACExplicit                 // an address in the file
	MACInterface                // "interface": that of the parent; there is no macvlan
)

// Announce is how a new MASTER announces its addresses: by gratuitous ARP for
// IPv4, and by unsolicited neighbour advertisements for IPv6.
type Announce struct {
	Repeat int           // announcements of each address in a burst
	Delay  time.Duration // between the first burst and a second one; 0: no second burst
	// Refresh is the time between announcements while MASTER; 0: no refresh.
	Refresh       time.Duration
	RefreshRepeat int           // announcements of each address at each refresh
	Interval      time.Duration // pause between two announcements on one interface; 0: no pause
}

// A Command is a program of the administrator, and how to run it.
type Command struct {
	Argv []string // path and arguments; nil: no command
	// User and Group are names or numbers. The default of User is that of
	// Director.Script, and the default of Group the group of the user.
	User, Group string
	Timeout     time.Duration // after which the program is killed; 0: the timeout of its table
	// OwnArguments: the program gets the arguments in Argv only, not those of the event.
	OwnArguments bool
}

// Notify has the commands for transitions of an instance or group.
type Notify struct {
	Master, Backup, Fault, Stop Command
	Any                         Command // at every transition, after one of the commands above
	// Events that do not change the state. Groups have Deleted only.
	Rival    Command       // adverts of another MASTER arrive, and when they no longer do
	Priority Command       // the effective priority changed
	Deleted  Command       // a reload removed the instance or group; after Stop
	Timeout  time.Duration // after which a command is killed
}

// A Group is a set of instances of which all are MASTER, or none.
type Group struct {
	Name    string
	Members []string // names of instances; an instance is in one group only
	Notify  Notify
	Track   []Tracking // for every member
	// PreemptCommand runs instead of a preemption: it has the MASTER hand over.
	PreemptCommand Command
	// Resources run where the group is MASTER, in the order of their start.
	Resources []Resource
	Fence     Fence
}

// LVS is the configuration of IPVS as a whole.
type LVS struct {
	// Sync is the sync daemon, which copies connections to the other directors.
	// Without an Interface there is none.
	Sync     lvs.SyncConfig
	OnStop   OnStop
	Timeouts Timeouts
	// Sysctls are the values of sysctls net.ipv4.vs.NAME by NAME, in the form of
	// lvs.Sysctl.Parse. The others keep the kernel's.
	Sysctls map[string]string
	// MaintenanceDir is a directory in which a file named after a server drains it;
	// "": none.
	MaintenanceDir string
	// ViaMark is the first of the marks of checks through the address of a service.
	ViaMark uint32
	// PreemptWait bounds how long a virtual router waits after the start for the first
	// verdicts of all checks before it preempts a MASTER. 0: it does not wait.
	PreemptWait time.Duration
	// SyncPreemptWait is how long a virtual router that Sync follows must have been
	// BACKUP, and so received connections, before it preempts a MASTER.
	SyncPreemptWait time.Duration
}

// OnStop is what a clean stop does with our virtual services.
type OnStop string

// The choices at a stop.
const (
	Clear OnStop = "clear" // remove them
	Keep  OnStop = "keep"  // leave them in the kernel, working
)

// Timeouts are the connection timeouts of IPVS in whole seconds; 0 keeps the
// kernel's.
type Timeouts struct{ TCP, TCPFin, UDP time.Duration }

// A Service is a virtual service with its servers and their checks.
type Service struct {
	lvs.ServiceConfig
	Checks []Check // the default of the servers; at least one
	Notify ServiceNotify
	// Health has one element for each element of Servers, in the same order.
	Health []Health
}

// Health has the checks of one server and its commands.
type Health struct {
	Checks []Check       // at least one; all must be well
	Notify *ServerNotify // never changed: servers without one of their own share that of the service
}

// ServiceNotify has the commands to run when a service changes.
type ServiceNotify struct {
	ServerNotify         // the default of the servers; Timeout is that of all commands
	QuorumUp, QuorumDown Command
	// Fallback runs with the argument start when the service goes down, and with stop
	// when it is up again (ldirectord's fallbackcommand).
	Fallback Command
	// DownAtStop runs Down of all servers that are up, and QuorumDown, when the daemon
	// stops (keepalived's omega).
	DownAtStop bool
}

// ServerNotify has the commands to run when a server goes up or down.
type ServerNotify struct {
	Up, Down Command
	Timeout  time.Duration
}
