package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// A SyncConfig is the connection synchronization that a user wants: the
// director that is MASTER multicasts its connections, the others learn them.
type SyncConfig struct {
	Interface string     // the device that carries the multicast
	ID        uint8      // directors with one ID form a set
	MaxLen    uint16     // largest UDP payload; 0 is what fits the interface's MTU
	Group     netip.Addr // multicast group; the zero Addr is 224.0.0.81
	Port      uint16     // 0 is 8848
	TTL       uint8      // 0 is 1
	// Follow names the VRRP group (or instance) that decides between sending
	// and learning. With none, both go on all the time.
	Follow string
}

// What the kernel uses for what is not given (net/netfilter/ipvs/ip_vs_sync.c).
const (
	DefaultSyncPort = 8848
	DefaultSyncTTL  = 1

	// minBackupLen is the least that the kernel lets a backup receive.
	minBackupLen = 1024
	// maxSyncLen is the largest payload of a UDP packet over IPv6; the kernel
	// cuts what is larger.
	maxSyncLen = 65535 - 40 - 8
)

// DefaultSyncGroup is the multicast group of a SyncConfig without one.
var DefaultSyncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// Validate returns every way in which c cannot work, joined; each is a
// *FieldError.
func (c *SyncConfig) Validate() error {
	f := faults{server: -1}
	switch {
	case c.Interface == "":
		f.bad("interface", "is needed")
	case len(c.Interface) > 15:
		f.bad("interface", "%q is longer than the 15 characters of a device name", c.Interface)
	}
	if c.Group.IsValid() && !c.Group.IsMulticast() {
		f.bad("group", "%v is no multicast group", c.Group)
	}
	if c.MaxLen != 0 && (c.MaxLen < 64 || c.MaxLen > maxSyncLen) {
		f.bad("max_len", "must be 64 (room for a connection) to %d, not %d", maxSyncLen, c.MaxLen)
	}
	return errors.Join(f.errs...)
}

// A SyncRole is what a sync daemon does. The values are the kernel's
// (IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP).
type SyncRole uint8

// The roles.
const (
	SyncMaster SyncRole = 1 // sends
	SyncBackup SyncRole = 2 // learns
)

// String returns "master" or "backup".
func (r SyncRole) String() string {
	switch r {
	case SyncMaster:
		return "master"
	case SyncBackup:
		return "backup"
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// A SyncDaemon is a sync daemon of the kernel. MaxLen 0 leaves the length to
// the kernel.
type SyncDaemon struct {
	Role      SyncRole
	Interface string
	ID        uint8
	MaxLen    uint16
	Group     netip.Addr
	Port      uint16
	TTL       uint8
}

// String returns the arguments of the ipvsadm command that starts it.
func (d SyncDaemon) String() string {
	return fmt.Sprintf("--start-daemon %v --mcast-interface %s --syncid %d", d.Role, d.Interface, d.ID)
}

// Wanted returns the sync daemons that should run, given whether the group
// that c follows is MASTER here. A director that is not MASTER, for whatever
// reason, learns.
func (c *SyncConfig) Wanted(master bool) []SyncDaemon {
	d := SyncDaemon{
		Interface: c.Interface, ID: c.ID, MaxLen: c.MaxLen,
		Group: c.Group, Port: cmp.Or(c.Port, DefaultSyncPort), TTL: cmp.Or(c.TTL, DefaultSyncTTL),
	}
	if !d.Group.IsValid() {
		d.Group = DefaultSyncGroup
	}
	as := func(role SyncRole) SyncDaemon {
		d := d
		d.Role = role
		if role == SyncBackup && d.MaxLen != 0 {
			d.MaxLen = max(d.MaxLen, minBackupLen)
		}
		return d
	}
	switch {
	case c.Follow == "":
		return []SyncDaemon{as(SyncMaster), as(SyncBackup)}
	case master:
		return []SyncDaemon{as(SyncMaster)}
	}
	return []SyncDaemon{as(SyncBackup)}
}

// A SyncOp starts or stops a sync daemon.
type SyncOp struct {
	Stop   bool
	Daemon SyncDaemon
}

// String returns the ipvsadm command that would do the same.
func (o SyncOp) String() string {
	if o.Stop {
		return fmt.Sprintf("ipvsadm --stop-daemon %v", o.Daemon.Role)
	}
	return "ipvsadm " + o.Daemon.String()
}

// PlanSync returns the steps from the daemons that run to those that should:
// what is to stop stops before anything starts, so that a director that takes
// over does not learn its own connections back. A daemon whose parameters
// differ is stopped and started, for the kernel cannot change one. A network
// namespace has one daemon of each role at most; a caller that wants none and
// never wanted any does not ask.
func PlanSync(have, want []SyncDaemon) []SyncOp {
	var stops, starts []SyncOp
	for _, h := range have {
		if !slices.ContainsFunc(want, h.serves) {
			stops = append(stops, SyncOp{Stop: true, Daemon: h})
		}
	}
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h SyncDaemon) bool { return h.serves(w) }) {
			starts = append(starts, SyncOp{Daemon: w})
		}
	}
	return append(stops, starts...)
}

// serves reports whether the running daemon d is what want asks for.
func (d SyncDaemon) serves(want SyncDaemon) bool {
	if want.MaxLen == 0 {
		d.MaxLen = 0
	}
	return d == want
}
