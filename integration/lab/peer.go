package lab

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A VirtualRouter is the configuration of a virtual router on a peer of holdfast.
type VirtualRouter struct {
	Name      string
	Version   int
	Interface string
	VRID      int
	Priority  int
	Interval  time.Duration
	Addresses []string // with prefix length
	Excluded  []string // addresses that are not in the adverts, with prefix length
	VMAC      bool
	Device    string // of the virtual MAC; empty: keepalived's choice, which is the same on every interface
	NoPreempt bool
	Lines     []string // further ones, in the peer's own language
}

// KeepalivedConfig writes keepalived's configuration of virtual routers, all
// in one sync group if there is more than one and sync is set.
func KeepalivedConfig(sync bool, routers ...VirtualRouter) string {
	var out strings.Builder
	for _, r := range routers {
		fmt.Fprintf(&out, "vrrp_instance %s {\n\tversion %d\n\tstate BACKUP\n\tinterface %s\n", r.Name, r.Version, r.Interface)
		fmt.Fprintf(&out, "\tvirtual_router_id %d\n\tpriority %d\n\tadvert_int %.2f\n", r.VRID, r.Priority, r.Interval.Seconds())
		if r.VMAC {
			fmt.Fprintf(&out, "\tuse_vmac %s\n", r.Device)
		}
		if r.NoPreempt {
			out.WriteString("\tnopreempt\n")
		}
		for _, line := range r.Lines {
			fmt.Fprintf(&out, "\t%s\n", line)
		}
		fmt.Fprintf(&out, "\tvirtual_ipaddress {\n\t\t%s\n\t}\n", strings.Join(r.Addresses, "\n\t\t"))
		if len(r.Excluded) > 0 {
			fmt.Fprintf(&out, "\tvirtual_ipaddress_excluded {\n\t\t%s\n\t}\n", strings.Join(r.Excluded, "\n\t\t"))
		}
		out.WriteString("}\n")
	}
	if sync && len(routers) > 1 {
		out.WriteString("vrrp_sync_group all {\n\tgroup {\n")
		for _, r := range routers {
			fmt.Fprintf(&out, "\t\t%s\n", r.Name)
		}
		out.WriteString("\t}\n}\n")
	}
	return out.String()
}

// Keepalived starts keepalived's VRRP with a configuration. It logs to its
// output: through syslog it would end up on the machine's console.
func (h *Host) Keepalived(config string) *Process {
	h.lab.t.Helper()
	return h.keepalived(config, "--vrrp", "-l", "-D")
}

// KeepalivedBFD starts whatever of keepalived the configuration is for, with
// sessions of BFD that its virtual routers track, called by their neighbours.
func (h *Host) KeepalivedBFD(routers string, sessions ...BFDSession) *Process {
	h.lab.t.Helper()
	var config strings.Builder
	for _, s := range sessions {
		fmt.Fprintf(&config, "bfd_instance %s {\n\tneighbor_ip %s\n\tsource_ip %s\n\tmin_rx %d\n\tmin_tx %d\n\tmultiplier %d\n",
			s.Neighbour, s.Neighbour, s.Source, s.Interval.Milliseconds(), s.Interval.Milliseconds(), s.Multiplier)
		for _, line := range s.Lines {
			fmt.Fprintf(&config, "\t%s\n", line)
		}
		config.WriteString("}\n")
	}
	return h.keepalived(config.String()+routers, "-l", "-D")
}

// KeepalivedWith starts keepalived with further arguments.
func (h *Host) KeepalivedWith(config string, args ...string) *Process {
	h.lab.t.Helper()
	return h.keepalived(config, append([]string{"-l", "-D"}, args...)...)
}

func (h *Host) keepalived(config string, args ...string) *Process {
	h.lab.t.Helper()
	path := h.lab.WriteFile(h.Name+"-keepalived.conf", config)
	base := strings.TrimSuffix(path, ".conf")
	pids := []string{base + ".pid", base + "-vrrp.pid", base + "-check.pid", base + "-bfd.pid"}
	for _, file := range pids {
		// After a crash they name a process that keepalived may find not yet gone.
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			h.lab.t.Fatalf("host %s: %v", h.Name, err)
		}
	}
	args = append(args, "-n", "-G", "-f", path, "-p", pids[0], "-r", pids[1], "-c", pids[2], "-b", pids[3])
	return h.Start("keepalived", args...)
}

// KeepalivedReload makes a keepalived of this host read another configuration.
func (h *Host) KeepalivedReload(p *Process, config string) {
	h.lab.t.Helper()
	h.lab.WriteFile(h.Name+"-keepalived.conf", config)
	p.Signal(unix.SIGHUP)
}

// KeepalivedChecks starts the part of keepalived that keeps the IPVS table. It does
// not log: a line for every server would cost more than the table.
func (h *Host) KeepalivedChecks(config string) *Process {
	h.lab.t.Helper()
	return h.keepalived(config, "--check")
}
