package lvs

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// A SyncConfig is the configuration of connection synchronization: the MASTER
// sends its connections by multicast, the other directors receive them.
type SyncConfig struct {
	Interface string     // the interface for the multicast
	ID        uint8      // directors with the same ID share their connections
	MaxLen    uint16     // largest UDP payload in bytes; 0 is what fits the interface's MTU
	Group     netip.Addr // multicast group; the zero Addr is DefaultSyncGroup
	Port      uint16     // UDP port; 0 is DefaultSyncPort
	TTL       uint8      // of the multicast; 0 is DefaultSyncTTL
	// Follow is the name of the VRRP group or instance whose MASTER sends. If it is
	// "", this director sends and receives all the time.
	Follow string
}

// The kernel's defaults (net/netfilter/ipvs/ip_vs_sync.c).
const (
	DefaultSyncPort = 8848
	DefaultSyncTTL  = 1

	// minBackupLen is the smallest MaxLen that the kernel accepts of a backup
	// daemon.
	minBackupLen = 1024
	// maxSyncLen is the largest payload of a UDP packet over IPv6. The kernel
	// reduces a larger MaxLen to it.
	maxSyncLen = 65535 - 40 - 8
)

// DefaultSyncGroup is the kernel's multicast group, 224.0.0.81.
var DefaultSyncGroup = netip.AddrFrom4([4]byte{224, 0, 0, 81})

// Validate returns all faults of c, joined. Each is a *FieldError.
func (c *SyncConfig) Validate() error {
	f := fieldErrors{server: -1}
	switch {
	case c.Interface == "":
		f.add("interface", "is needed")
	case len(c.Interface) > 15:
		f.add("interface", "%q is longer than the 15 characters of a device name", c.Interface)
	}
	if c.Group.IsValid() && !c.Group.IsMulticast() {
		f.add("group", "%v is not a multicast address", c.Group)
	}
	if c.MaxLen != 0 && (c.MaxLen < 64 || c.MaxLen > maxSyncLen) {
		f.add("max_len", "must be 64 (enough for one connection) to %d, not %d", maxSyncLen, c.MaxLen)
	}
	return errors.Join(f.errs...)
}

// A SyncRole is the role of a sync daemon. The values are the kernel's
// (IP_VS_STATE_MASTER, IP_VS_STATE_BACKUP).
type SyncRole uint8

// The roles.
const (
	SyncMaster SyncRole = 1 // sends connections
	SyncBackup SyncRole = 2 // receives connections
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

// A SyncDaemon is a sync daemon of the kernel. Its fields are those of
// [SyncConfig] without defaults.
type SyncDaemon struct {
	Role      SyncRole
	Interface string
	ID        uint8
	MaxLen    uint16 // 0 lets the kernel choose
	Group     netip.Addr
	Port      uint16
	TTL       uint8
}

// String returns the arguments of the ipvsadm command that starts it.
func (d SyncDaemon) String() string {
	return fmt.Sprintf("--start-daemon %v --mcast-interface %s --syncid %d", d.Role, d.Interface, d.ID)
}

// Wanted returns the sync daemons that should run. master says whether the group
// that c follows is MASTER on this director. Every other director receives,
// whatever its state is.
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

// String returns the ipvsadm command for the same change.
func (o SyncOp) String() string {
	if o.Stop {
		return fmt.Sprintf("ipvsadm --stop-daemon %v", o.Daemon.Role)
	}
	return "ipvsadm " + o.Daemon.String()
}

// PlanSync returns the steps from the daemons that run to those that should run.
// It stops daemons before it starts others: a director that takes over must not
// receive the connections that it sends. A daemon with other parameters is
// stopped and started, because the kernel cannot change it.
//
// A network namespace has at most one daemon of each role, so PlanSync also
// stops daemons of other programs. A caller without a SyncConfig should call it
// only to stop its own.
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

// serves reports whether the running daemon d has the parameters of want.
func (d SyncDaemon) serves(want SyncDaemon) bool {
	if want.MaxLen == 0 {
		d.MaxLen = 0
	}
	return d == want
}
