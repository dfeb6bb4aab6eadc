package status

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/lvs"
)

// LVS is the state of the IPVS table and the sync daemons.
type LVS struct {
	// Error is why the daemon cannot read or write the table; "" if it can do both.
	Error    string              `json:"error,omitempty"`
	Sync     *Sync               `json:"sync,omitempty"` // nil: not configured
	Services []lvs.ServiceStatus `json:"services"`
	// RatesNote is why the counters have no rates; "" if they have rates.
	RatesNote string `json:"rates_note,omitempty"`
	Repairs   uint64 `json:"repairs"` // changes that the daemon made because another program had changed the table
}

// A Server is a server of a virtual service.
type Server struct {
	Service string `json:"service"`
	lvs.ServerStatus
}

// Sync is the state of connection synchronisation.
type Sync struct {
	Interface string   `json:"interface"`
	ID        int      `json:"id"`
	Follow    string   `json:"follow,omitempty"`
	Roles     []string `json:"roles"` // sync daemons that run: master, backup
	Error     string   `json:"error,omitempty"`
}

func (s *Status) lvs(b *page) {
	b.WriteString("\nLVS\n")
	if s.LVS == nil {
		b.WriteString("  none\n")
		return
	}
	if y := s.LVS.Sync; y != nil {
		fmt.Fprintf(b, "  sync %s on %s, id %d\n", cmp.Or(strings.Join(y.Roles, " and "), "stopped"), y.Interface, y.ID)
	}
	if s.LVS.RatesNote != "" {
		fmt.Fprintf(b, "  rates are not measured: %s\n", s.LVS.RatesNote)
	}
	t := table{what: "services and servers"}
	t.header("NAME", "ADDRESS~9", "BY~4", "HEALTH", ">WEIGHT~8", ">ACTIVE", ">INACTIVE~7", ">CONNECTIONS~5", ">IN~2", ">OUT~3", ">CONNS/S~10", ">PACKETS/S~1", ">BYTES/S~6")
	for i := range s.LVS.Services {
		v := &s.LVS.Services[i]
		t.row(slices.Concat([]string{cmp.Or(v.Name, "-"), v.Service, v.Scheduler, HealthText(v), "", "", ""},
			counters(&v.Counters, v.Present))...)
		t.unwell(!v.Foreign && (v.Wanted && !v.Present || (v.Wanted || onlyChecked(v)) && v.ServersUp < v.ServersTotal && judged(v)))
		t.note(serviceNote(v))
		t.note(QuorumText(v))
		for j := range v.Servers {
			r := &v.Servers[j]
			t.row(slices.Concat([]string{"-> " + r.Name, r.Address, r.Forward, ServerHealthText(r), weight(r),
				strconv.FormatUint(uint64(r.Active), 10), strconv.FormatUint(uint64(r.Inactive), 10)},
				counters(&r.Counters, r.Present))...)
			t.rank(rankDetail)
			t.unwell(r.Health == lvs.Down.String() || r.Drained)
			t.note(s.serverNote(r))
		}
	}
	t.write(b)
}

// HealthText says in a few words how a service is.
func HealthText(v *lvs.ServiceStatus) string {
	switch {
	case v.Foreign:
		return "not ours"
	case onlyChecked(v):
	case !v.Wanted:
		return "not here" // the service is active where the group is MASTER
	case !v.Present:
		return "MISSING"
	case v.OnFallback:
		return "fallback"
	}
	return fmt.Sprintf("%d of %d up", v.ServersUp, v.ServersTotal)
}

// ServerHealthText says in a few words how a server is.
func ServerHealthText(r *lvs.ServerStatus) string {
	switch {
	case r.Fallback:
		return "fallback"
	case r.Drained:
		return r.Health + ", drained"
	}
	return r.Health
}

// weight returns the weight in the kernel, and the configured one if it differs.
func weight(r *lvs.ServerStatus) string {
	switch {
	case !r.Present:
		return "-"
	case r.Weight == r.Configured:
		return strconv.Itoa(r.Weight)
	}
	return fmt.Sprintf("%d of %d", r.Weight, r.Configured)
}

// serviceNote returns the parameters of a service that have no column in the table.
// It returns "" if all of them have their defaults.
func serviceNote(v *lvs.ServiceStatus) string {
	var parts []string
	if v.PersistSecs > 0 {
		parts = append(parts, fmt.Sprintf("persistence %v", time.Duration(v.PersistSecs)*time.Second))
		if v.PersistPrefix != 0 && v.PersistPrefix != 32 && v.PersistPrefix != 128 {
			parts = append(parts, fmt.Sprintf("by /%d", v.PersistPrefix))
		}
		if v.PersistEngine != "" {
			parts = append(parts, "engine "+v.PersistEngine)
		}
	}
	if v.OnePacket {
		parts = append(parts, "one packet")
	}
	return strings.Join(slices.Concat(parts, v.Flags), ", ")
}

// QuorumText says when the service is up; "" if that is at the first server.
func QuorumText(v *lvs.ServiceStatus) string {
	if v.Quorum <= 1 || v.Foreign {
		return ""
	}
	text := fmt.Sprintf("%s: weight %d of a quorum of %d", v.Health, v.WeightUp, v.Quorum)
	if v.Hysteresis > 0 {
		text += fmt.Sprintf(" with a hysteresis of %d", v.Hysteresis)
	}
	return text
}

// OrderText says who has changed the weight of a server, and until when; "" if nobody
// has.
func OrderText(r *lvs.ServerStatus) string {
	var parts []string
	say := func(what string, o *lvs.Order) {
		text := what + " by " + o.By
		if !o.Until.IsZero() {
			text += " until " + o.Until.Format(time.DateTime)
		}
		parts = append(parts, text)
	}
	if r.File != "" {
		parts = append(parts, "drained by the maintenance file "+r.File)
	}
	if o := r.Override; o != nil {
		if o.Drained != nil {
			say("drained", o.Drained)
		}
		if o.Weight != nil {
			say(fmt.Sprintf("weight %d", o.Weight.Weight), &o.Weight.Order)
		}
	}
	return strings.Join(parts, ", ")
}

// serverNote does the same as serviceNote for a server.
func (s *Status) serverNote(r *lvs.ServerStatus) string {
	var parts []string
	if rest := r.FullAt.Sub(s.Now); rest > 0 && r.Health == lvs.Up.String() {
		parts = append(parts, "slow start for "+rest.Round(time.Second).String())
	}
	if r.Tunnel != "" && r.Tunnel != lvs.IPIP.String() {
		parts = append(parts, "tunnel "+r.Tunnel)
		if r.TunnelPort != 0 {
			parts = append(parts, fmt.Sprintf("port %d", r.TunnelPort))
		}
		if r.TunnelChecksum != "" {
			parts = append(parts, r.TunnelChecksum+" checksum")
		}
	}
	parts = append(parts, weightNote(r)...)
	if r.Upper > 0 {
		parts = append(parts, fmt.Sprintf("thresholds %d and %d", r.Upper, r.Lower))
	}
	return strings.Join(parts, ", ")
}

// weightNote says who made the weight other than configured.
func weightNote(r *lvs.ServerStatus) []string {
	var parts []string
	if text := OrderText(r); text != "" {
		parts = append(parts, text)
	}
	if r.WeightFrom == lvs.FromCheck {
		parts = append(parts, fmt.Sprintf("weight %d by the check %s", r.Effective, r.WeightBy))
	}
	return parts
}

// counters returns the cells of what was counted, and of the rates in both directions
// together. Without rates in the kernel these are "?", because they are not 0.
func counters(c *lvs.Counters, present bool) []string {
	cells := []string{count(c.Connections), count(c.BytesIn), count(c.BytesOut)}
	switch {
	case !present:
		return append(cells, "-", "-", "-")
	case c.Rates == nil:
		return append(cells, "?", "?", "?")
	}
	return append(cells, count(c.ConnectionRate), count(c.PacketInRate+c.PacketOutRate), count(c.ByteInRate+c.ByteOutRate))
}

func (l *LVS) complete() {
	if l == nil {
		return
	}
	l.Services = list(l.Services)
	for i := range l.Services {
		l.Services[i].Servers = list(l.Services[i].Servers)
	}
	if l.Sync != nil {
		l.Sync.Roles = list(l.Sync.Roles)
	}
}

func (l *LVS) unwell(say sayer) {
	if l == nil {
		return
	}
	for problem := range strings.Lines(l.Error) {
		say("lvs: %s", strings.TrimSpace(problem))
	}
	if l.Sync != nil && l.Sync.Error != "" {
		say("lvs sync: %s", l.Sync.Error)
	}
	for i := range l.Services {
		v := &l.Services[i]
		switch {
		case v.Foreign || !v.Wanted && !onlyChecked(v):
		case v.Wanted && !v.Present:
			say("service %s is not in the kernel", v.Name)
		case v.ServersUp == 0 && judged(v):
			say("service %s has no server that is up", v.Name)
		case v.Health == lvs.Down.String() && v.ServersUp > 0:
			say("service %s is down: the weights of its servers that are up sum up to %d, the quorum is %d", v.Name, v.WeightUp, v.Quorum)
		}
	}
}

// onlyChecked reports whether v is never to be in the kernel.
func onlyChecked(v *lvs.ServiceStatus) bool { return v.Active == lvs.ActiveNever.String() }

// judged reports whether a server of v is known to be down.
func judged(v *lvs.ServiceStatus) bool {
	for _, r := range v.Servers {
		if r.Health == lvs.Down.String() && !r.Fallback {
			return true
		}
	}
	return false
}
