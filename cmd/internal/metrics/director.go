package metrics

import (
	"runtime"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/vrrp"
	"holdfast/vrrp/histogram"
)

type director = status.Status

// problemKinds are the kinds of problems that always have a series.
var problemKinds = []string{
	"device", "address", "sysctl", "routes", "nftables", "journal", "leftovers", "kernel",
	"conflict-address", "conflict-mac", "conflict-rule", "conflict-firewall", "conflict-ipvs", "check",
}

var directorMetrics = table[director]{columns: []column[director]{
	info("holdfast_build_info", "The running binary. Always 1.", []string{"version", "goversion"},
		func(s *director) []string { return []string{s.Software, runtime.Version()} }),
	info("holdfast_director_info", "The director. Always 1.", []string{"director"},
		func(s *director) []string { return []string{s.Director} }),
	moment("holdfast_start_timestamp_seconds", "When the running binary took over.", func(s *director) time.Time { return s.Started }),
	counter("holdfast_upgrades_total", "Upgrades: a new binary took over from the one before.", func(s *director) uint64 { return s.Upgrades }),
	gauge("holdfast_unwell", "Number of things that are unwell, as holdfast status says. 0 is well.",
		func(s *director) float64 { return float64(len(s.Unwell())) }),
	boolean("holdfast_realtime", "1 if the thread that sends adverts has real-time priority.", func(s *director) bool { return s.Realtime }),
	moment("holdfast_config_last_reload_success_timestamp_seconds", "When the configuration in force was loaded.",
		func(s *director) time.Time { return s.Config.LoadedAt }),
	boolean("holdfast_config_last_reload_successful", "1 unless the last reload was refused.",
		func(s *director) bool { return s.Config.LastReload == nil || s.Config.LastReload.OK }),
	counters("holdfast_config_reloads_total", "Reloads of the configuration.", []string{"result"}, func(s *director, add func(float64, ...string)) {
		add(float64(s.Config.ReloadsRefused), "refused")
		add(float64(s.Config.Reloads), "success")
	}),
	gauges("holdfast_problems", "Present problems that holdfast cannot repair, and things of others that conflict with ours.",
		[]string{"kind"}, problems),
	counters("holdfast_repairs_total", "Things that were put back because another program had changed them.", []string{"object"},
		func(s *director, add func(float64, ...string)) {
			add(float64(s.Repairs), "device")
			if s.LVS != nil {
				add(float64(s.LVS.Repairs), "ipvs")
			}
		}),
	counters("holdfast_adverts_dropped_total", "Adverts that no virtual router accepted, with every reason from the start.", []string{"reason"},
		func(s *director, add func(float64, ...string)) {
			for drop := vrrp.DropNone + 1; int(drop) < vrrp.NumDrops; drop++ {
				add(float64(s.Dropped[drop.String()]), drop.String())
			}
		}),
	counter("holdfast_adverts_unknown_vrid_total", "Adverts of virtual routers that are not configured here.",
		func(s *director) uint64 { return s.UnknownVRID }),
	durations("holdfast_advert_lateness_seconds", "How long after they were due the adverts of all virtual routers were sent.", nil,
		func(s *director) map[string]*histogram.Snapshot {
			return map[string]*histogram.Snapshot{"": s.AdvertLateness}
		}),
	durations("holdfast_check_lateness_seconds", "How long after they were due the attempts of checks began.", nil,
		func(s *director) map[string]*histogram.Snapshot {
			return map[string]*histogram.Snapshot{"": s.CheckLateness}
		}),
	durations("holdfast_check_duration_seconds", "How long the attempts of checks took that said how the server is.", []string{"type"},
		func(s *director) map[string]*histogram.Snapshot { return s.CheckDuration }),
	gauges("holdfast_alerts", "Present failures that a rule for alerts is about.", []string{"rule"}, alerts),
	some("holdfast_dbus_connected", "1 while the service is on D-Bus.", func(s *director) (float64, bool) {
		return number(s.DBus != nil && s.DBus.Connected), s.DBus != nil
	}),
	some("holdfast_snmp_connected", "1 while the SNMP master agent is connected.", func(s *director) (float64, bool) {
		return number(s.SNMP != nil && s.SNMP.Connected), s.SNMP != nil
	}),
	counters("holdfast_snmp_traps_total", "SNMP traps.", []string{"result"}, func(s *director, add func(float64, ...string)) {
		if s.SNMP != nil {
			add(float64(s.SNMP.TrapsDropped), "dropped")
			add(float64(s.SNMP.TrapsSent), "sent")
		}
	}),
}}

func problems(s *director, add func(float64, ...string)) {
	counts := make(map[string]int, len(problemKinds))
	for _, kind := range problemKinds {
		counts[kind] = 0
	}
	for i := range s.Problems {
		counts[s.Problems[i].Kind]++
	}
	for _, kind := range sortedKeys(counts) {
		add(float64(counts[kind]), kind)
	}
}

func alerts(s *director, add func(float64, ...string)) {
	counts := map[string]int{}
	for i := range s.Alerts {
		counts[s.Alerts[i].Rule]++
	}
	for _, rule := range sortedKeys(counts) {
		add(float64(counts[rule]), rule)
	}
}
