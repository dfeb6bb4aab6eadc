package doctor

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilityFacts are the effective capabilities of a process.
type capabilityFacts struct {
	PID       int
	Daemon    bool // the process is the daemon, not the doctor itself
	Effective uint64
	Known     bool
}

func lookAtCapabilities(_ context.Context, p *Patient) (capabilityFacts, error) {
	f := capabilityFacts{PID: os.Getpid()}
	if p.Status != nil && p.Status.PID > 0 {
		f.PID, f.Daemon = p.Status.PID, true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", f.PID))
	if err != nil {
		return f, fmt.Errorf("read the capabilities of process %d: %w", f.PID, err)
	}
	f.Effective, f.Known = effectiveCapabilities(string(text))
	return f, nil
}

// effectiveCapabilities reads the line CapEff of /proc/PID/status.
func effectiveCapabilities(text string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			return set, err == nil
		}
	}
	return 0, false
}

func judgeCapabilities(p *Patient, f capabilityFacts) (found []Finding) {
	if !f.Known {
		return nil
	}
	late := "adverts are not sent with real-time priority, and may be late on a busy machine"
	if len(p.Config.BFD) > 0 {
		late += "; so may BFD packets, and a detection time below 100 ms is not safe"
	}
	for _, n := range []struct {
		bit      int
		name     string
		severity Severity
		why      string
		needed   bool
	}{
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", Error, "devices, addresses, sysctls and the IPVS table cannot be changed", true},
		{unix.CAP_NET_RAW, "CAP_NET_RAW", Error, "adverts can be neither sent nor received", len(p.Config.VRRP) > 0},
		{unix.CAP_SYS_NICE, "CAP_SYS_NICE", Warning, late, len(p.Config.VRRP)+len(p.Config.BFD) > 0},
	} {
		if !n.needed || f.Effective&(1<<n.bit) != 0 {
			continue
		}
		what := fmt.Sprintf("the daemon (process %d) has no %s", f.PID, n.name)
		cure := fmt.Sprintf("AmbientCapabilities=%s and CapabilityBoundingSet=%s in the unit (systemctl edit holdfast)", n.name, n.name)
		severity := n.severity
		if !f.Daemon {
			what = fmt.Sprintf("this command has no %s, so the doctor sees less; a daemon started like this would not work well", n.name)
			cure, severity = "sudo holdfast doctor", Note
		}
		found = append(found, Finding{Severity: severity, What: what, Why: n.why + ".", Cure: cure})
	}
	return found
}
