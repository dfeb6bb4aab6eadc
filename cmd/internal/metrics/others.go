package metrics

import (
	"time"

	"holdfast/cmd/internal/status"
)

var trackerMetrics = table[status.Tracker]{
	common: []string{"tracker", "type"},
	columns: []column[status.Tracker]{
		some("holdfast_tracker_up", "1 if what is tracked is well. No sample before the first look.", func(t *status.Tracker) (float64, bool) {
			return verdict(t.State)
		}),
		counter("holdfast_tracker_looks_total", "Looks at what is tracked.", func(t *status.Tracker) uint64 { return t.Looks }),
		counter("holdfast_tracker_looks_failed_total", "Looks that had a bad result.", func(t *status.Tracker) uint64 { return t.Bad }),
		counter("holdfast_tracker_looks_timed_out_total", "Looks that timed out, which are among those that failed.",
			func(t *status.Tracker) uint64 { return t.TimedOut }),
		gauge("holdfast_tracker_last_duration_seconds", "How long the last look took.", func(t *status.Tracker) float64 { return t.TookMS / 1000 }),
	},
}

var bfdMetrics = table[status.BFDSession]{
	common: []string{"session"},
	columns: []column[status.BFDSession]{
		info("holdfast_bfd_session_info", "What the session is. Always 1.", []string{"neighbour", "interface"},
			func(b *status.BFDSession) []string { return []string{b.Neighbour, b.Interface} }),
		states("holdfast_bfd_session_state", "1 for the state that the session has, 0 for the others.",
			[]string{"AdminDown", "Down", "Init", "Up"}, func(b *status.BFDSession) string { return b.State }),
		moment("holdfast_bfd_session_state_since_timestamp_seconds", "When the session got its state.", func(b *status.BFDSession) time.Time { return b.Since }),
		counter("holdfast_bfd_session_ups_total", "How often the session entered Up.", func(b *status.BFDSession) uint64 { return b.Ups }),
		counter("holdfast_bfd_session_downs_total", "How often the session left Up.", func(b *status.BFDSession) uint64 { return b.Downs }),
		gauge("holdfast_bfd_session_detection_time_seconds", "Time without packets after which the session is Down; 0 if none arrive.",
			func(b *status.BFDSession) float64 { return b.DetectionMS / 1000 }),
		counter("holdfast_bfd_session_packets_sent_total", "Packets sent.", func(b *status.BFDSession) uint64 { return b.PacketsSent }),
		counter("holdfast_bfd_session_packets_unsent_total", "Packets that the kernel refused to send.", func(b *status.BFDSession) uint64 { return b.PacketsUnsent }),
		counter("holdfast_bfd_session_packets_received_total", "Packets received that passed every check.",
			func(b *status.BFDSession) uint64 { return b.PacketsReceived }),
		byKey("holdfast_bfd_session_packets_dropped_total", "Packets for the session that were not accepted. A reason that never occurred has no series.",
			"reason", func(b *status.BFDSession) map[string]uint64 { return b.Dropped }),
	},
}

var outletMetrics = table[status.Outlet]{
	common: []string{"outlet"},
	columns: []column[status.Outlet]{
		counter("holdfast_outlet_delivered_total", "Events delivered. Of scripts, runs that succeeded.", func(o *status.Outlet) uint64 { return o.Delivered }),
		counter("holdfast_outlet_failed_total", "Deliveries that failed, which may be tried again. Of scripts, runs that failed.",
			func(o *status.Outlet) uint64 { return o.Failed }),
		counter("holdfast_outlet_dropped_total", "Events that were not delivered: too many, too old, or refused. Of scripts, states that ended before the script could run.",
			func(o *status.Outlet) uint64 { return o.Dropped }),
		gauge("holdfast_outlet_queued", "Events that wait or are being delivered.", func(o *status.Outlet) float64 { return float64(o.Queued) }),
		boolean("holdfast_outlet_failing", "1 if the last delivery failed.", func(o *status.Outlet) bool { return !o.FailingSince.IsZero() }),
		moment("holdfast_outlet_last_delivery_timestamp_seconds", "When an event was delivered last.", func(o *status.Outlet) time.Time { return o.LastDelivery }),
	},
}

var monTrapsMetrics = table[status.MonTraps]{
	common: []string{"address"},
	columns: []column[status.MonTraps]{
		boolean("holdfast_mon_traps_listening", "1 if traps of mon are received at the address.", func(m *status.MonTraps) bool { return m.Listening }),
		counter("holdfast_mon_traps_taken_total", "Traps of mon that a service has taken.", func(m *status.MonTraps) uint64 { return m.Taken }),
		byKey("holdfast_mon_traps_refused_total", "Traps of mon that were refused, with every reason from the start.", "reason",
			func(m *status.MonTraps) map[string]uint64 { return m.Refused }),
		moment("holdfast_mon_traps_last_taken_timestamp_seconds", "When a trap of mon was taken last.", func(m *status.MonTraps) time.Time { return m.LastTaken }),
	},
}

func trackerLabels(t *status.Tracker) []string   { return []string{t.Name, t.Type} }
func bfdLabels(b *status.BFDSession) []string    { return []string{b.Name} }
func monTrapsLabels(m *status.MonTraps) []string { return []string{m.Address} }
func outletLabels(o *status.Outlet) []string     { return []string{o.Name} }
