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

// A Section selects a part of the status text.
type Section string

// The sections. SectionAll selects every section that has something to show.
const (
	SectionAll    Section = ""
	SectionVRRP   Section = "vrrp"
	SectionLVS    Section = "lvs"
	SectionChecks Section = "checks"
)

// sections writes one section, or all that have something to show.
func (s *Status) sections(b *page, section Section) {
	s.head(b)
	if section == SectionVRRP || section == SectionAll && len(s.VRRP) > 0 {
		s.vrrp(b)
		s.policies(b)
		s.trackers(b)
		s.resources(b)
	}
	if section == SectionVRRP || section == SectionAll {
		s.bfd(b)
	}
	if section == SectionLVS || section == SectionAll && s.LVS != nil {
		s.lvs(b)
	}
	if section == SectionChecks || section == SectionAll && len(s.Checks) > 0 {
		s.checks(b, section == SectionChecks)
	}
	if section == SectionAll {
		s.alerts(b)
		s.notify(b)
		s.dbus(b)
		s.snmp(b)
		s.listeners(b)
	}
}

func (s *Status) head(b *page) {
	fmt.Fprintf(b, "%s  up %s  holdfast %s  pid %d\n", s.Director, s.ago(s.Started), s.Software, s.PID)
	fmt.Fprintf(b, "  configuration %s, in force for %s\n", s.Config.Path, s.ago(s.Config.LoadedAt))
	if r := s.Config.LastReload; r != nil && !r.OK {
		fmt.Fprintf(b, "  reload failed %s ago:\n", s.ago(r.At))
		for line := range strings.Lines(r.Error) {
			b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	if !s.Realtime && s.RealtimeNote != "" {
		fmt.Fprintf(b, "  no real-time priority: %s\n", s.RealtimeNote)
	}
	s.unwell(b)
}

// unwell writes a line for each problem. Where there is no room for all, they come before
// everything else but a few rows.
func (s *Status) unwell(b *page) {
	problems := s.Unwell()
	shown := len(problems)
	if b.limit > 0 {
		shown = min(shown, max(b.look.Height/3, b.limit))
	}
	for _, problem := range problems[:shown] {
		b.WriteString("  UNWELL: " + problem + "\n")
	}
	if more := len(problems) - shown; more > 0 {
		fmt.Fprintf(b, "  UNWELL: and %d more\n", more)
		b.cut = true
	}
}

func (s *Status) vrrp(b *page) {
	b.WriteString("\nVRRP\n")
	if len(s.VRRP) == 0 {
		b.WriteString("  none\n")
		return
	}
	var t table
	t.header("NAME", "STATE", ">FOR", ">PRIORITY~6", ">INTERVAL~1", "INTERFACE~3", "DEVICE~2", ">VRID~4", "MASTER~5", "ADDRESSES")
	for i := range s.VRRP {
		v := &s.VRRP[i]
		t.row(v.Name, v.State, s.ago(v.Since), v.priority(), milliseconds(v.IntervalMS), v.Interface,
			cmp.Or(v.Device, "-"), strconv.Itoa(v.VRID), v.master(), cmp.Or(strings.Join(v.Addresses, " "), "-"))
		t.unwell(v.State == "FAULT" || v.Silenced != nil || v.CededTo != nil || v.Rival != nil)
		for _, r := range v.Reasons {
			t.note(fmt.Sprintf("%s, for %s: %s", r.Key, s.ago(r.Since), r.Text))
		}
		for _, p := range v.ExtraInterfaces {
			t.note(fmt.Sprintf("%s on %s", strings.Join(p.Addresses, " "), cmp.Or(p.Device, p.Interface)))
		}
		if n := v.Counters.AddressMismatch; n > 0 {
			t.note(fmt.Sprintf("%s adverts had another list of addresses than this configuration", count(n)))
		}
		if v.Refused {
			t.note("packets for its addresses are not accepted")
		}
		if v.Unicast {
			t.note("unicast to " + strings.Join(v.Peers, " "))
		}
		for _, w := range v.Waits {
			if w.Text != "" {
				t.note("preemption held back: " + w.Text)
				continue
			}
			t.note(fmt.Sprintf("waits another %s for %s", w.Until.Sub(s.Now).Round(time.Second), w.Key))
		}
		if c := v.CededTo; c != nil {
			t.note(fmt.Sprintf("priority 255 ceded to %s, which has it too", c.Address))
		}
		if r := v.Rival; r != nil {
			from := r.Address
			if r.MAC != "" {
				from += " at " + r.MAC
			}
			t.note(fmt.Sprintf("rival %s with priority %d, heard %s ago", from, r.Priority, s.ago(r.LastHeard)))
		}
		for _, r := range v.RefusedSpeakers {
			if r.Advertises || s.Now.Sub(r.LastHeard) < refusedShown {
				t.note(fmt.Sprintf("%s with priority %d: %d of its adverts were refused since %s ago: %s", r.Address, r.Priority, r.Count, s.ago(r.Since), r.Problem))
			}
		}
	}
	t.write(b)
	if len(s.Groups) == 0 {
		return
	}
	b.WriteString("\nGROUPS\n")
	t = table{}
	t.header("NAME", "STATE", ">FOR", "MEMBERS")
	for _, g := range s.Groups {
		t.row(g.Name, g.State, s.ago(g.Since), strings.Join(g.Members, " "))
	}
	t.write(b)
}

// refusedShown is how long the text shows a router after its last refused advert.
const refusedShown = 10 * time.Minute

// priority returns the effective priority, and the configured one if it differs.
func (i *Instance) priority() string {
	if i.EffectivePriority == i.Priority {
		return strconv.Itoa(i.Priority)
	}
	return fmt.Sprintf("%d of %d", i.EffectivePriority, i.Priority)
}

func (i *Instance) master() string {
	switch {
	case i.State == "MASTER":
		return "here"
	case i.Master != nil:
		return i.Master.Address
	}
	return "-"
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
		t.row(slices.Concat([]string{cmp.Or(v.Name, "-"), v.Service, v.Scheduler, serviceHealth(v), "", "", ""},
			counters(&v.Counters, v.Present))...)
		t.unwell(!v.Foreign && v.Wanted && (!v.Present || v.ServersUp < v.ServersTotal && judged(v)))
		t.note(serviceNote(v))
		t.note(quorumNote(v))
		for j := range v.Servers {
			r := &v.Servers[j]
			t.row(slices.Concat([]string{"-> " + r.Name, r.Address, r.Forward, serverHealth(r), weight(r),
				strconv.FormatUint(uint64(r.Active), 10), strconv.FormatUint(uint64(r.Inactive), 10)},
				counters(&r.Counters, r.Present))...)
			t.rank(rankDetail)
			t.unwell(r.Health == lvs.Down.String() || r.Drained)
			t.note(s.serverNote(r))
		}
	}
	t.write(b)
}

func serviceHealth(v *lvs.ServiceStatus) string {
	switch {
	case v.Foreign:
		return "not ours"
	case v.Active == lvs.ActiveNever.String():
	case !v.Wanted:
		return "not here" // the service is active where the group is MASTER
	case !v.Present:
		return "MISSING"
	case v.OnFallback:
		return "fallback"
	}
	return fmt.Sprintf("%d of %d up", v.ServersUp, v.ServersTotal)
}

func serverHealth(r *lvs.ServerStatus) string {
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

// ago returns the time from t to s.Now in at most two units: 4s, 5m12s, 3h10m,
// 12d4h. It returns "-" if t is zero.
func (s *Status) ago(t time.Time) string {
	seconds := int64(max(0, s.Now.Sub(t)) / time.Second)
	switch {
	case t.IsZero():
		return "-"
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm%ds", seconds/60, seconds%60)
	case seconds < 86400:
		return fmt.Sprintf("%dh%dm", seconds/3600, seconds/60%60)
	}
	return fmt.Sprintf("%dd%dh", seconds/86400, seconds/3600%24)
}

func milliseconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).String()
}

// count returns n with at most four digits before a decimal prefix: 9999, 10.0K, 1.5M.
func count(n uint64) string {
	if n < 10_000 {
		return strconv.FormatUint(n, 10)
	}
	value := float64(n)
	for _, prefix := range "KMGTPE" {
		value /= 1000
		if value < 999.95 {
			return fmt.Sprintf("%.1f%c", value, prefix)
		}
	}
	return strconv.FormatUint(n, 10)
}
