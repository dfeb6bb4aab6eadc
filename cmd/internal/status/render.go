package status

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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
		s.groups(b)
		s.policies(b)
		s.trackers(b)
		s.resources(b)
		s.watchdog(b)
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
		s.monTraps(b)
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
