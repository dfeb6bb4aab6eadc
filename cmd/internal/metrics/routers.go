package metrics

import (
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/vrrp"
)

type router = status.Instance

// vrrpStates are the states of virtual routers and sync groups.
var vrrpStates = func() (names []string) {
	for s := range vrrp.NumStates {
		names = append(names, vrrp.State(s).String())
	}
	return names
}()

var routerMetrics = table[router]{
	common: []string{"vrrp"},
	columns: []column[router]{
		info("holdfast_vrrp_info", "What the virtual router is. Always 1.",
			[]string{"group", "interface", "device", "family", "vrid", "version"}, func(i *router) []string {
				return []string{i.Group, i.Interface, i.Device, i.Family, strconv.Itoa(i.VRID), strconv.Itoa(i.Protocol)}
			}),
		states("holdfast_vrrp_state", "1 for the state that the virtual router has, 0 for the others.",
			vrrpStates, func(i *router) string { return i.State }),
		moment("holdfast_vrrp_state_since_timestamp_seconds", "When the virtual router got its state.",
			func(i *router) time.Time { return i.Since }),
		boolean("holdfast_vrrp_holding_addresses", "1 while this director has the virtual addresses.",
			func(i *router) bool { return i.Holding }),
		gauge("holdfast_vrrp_priority", "Configured priority.", func(i *router) float64 { return float64(i.Priority) }),
		gauge("holdfast_vrrp_effective_priority", "Priority in the adverts, which trackers can change.",
			func(i *router) float64 { return float64(i.EffectivePriority) }),
		gauge("holdfast_vrrp_advert_interval_seconds", "Configured interval between adverts.",
			func(i *router) float64 { return i.IntervalMS / 1000 }),
		boolean("holdfast_vrrp_rival", "1 while another router advertises as MASTER and this director is MASTER too.", rivalled),
		boolean("holdfast_vrrp_silenced", "1 while this director is MASTER and the kernel refuses to send its adverts.",
			func(i *router) bool { return i.Silenced != nil }),
		counter("holdfast_vrrp_adverts_sent_total", "Adverts sent.", func(i *router) uint64 { return i.Counters.AdvertsSent }),
		counter("holdfast_vrrp_adverts_received_total", "Adverts received that passed every check.",
			func(i *router) uint64 { return i.Counters.AdvertsReceived }),
		counter("holdfast_vrrp_priority_zero_sent_total", "Adverts sent with priority 0: this director gave mastership away.",
			func(i *router) uint64 { return i.Counters.StopSent }),
		counter("holdfast_vrrp_priority_zero_received_total", "Adverts received with priority 0: another director gave mastership away.",
			func(i *router) uint64 { return i.Counters.StopReceived }),
		counter("holdfast_vrrp_rival_adverts_total", "Adverts of a lower priority received while MASTER.",
			func(i *router) uint64 { return i.Counters.RivalAdverts }),
		counter("holdfast_vrrp_address_mismatch_total", "Adverts accepted although they list other addresses than the configured ones.",
			func(i *router) uint64 { return i.Counters.AddressMismatch }),
		counter("holdfast_vrrp_interval_mismatch_total", "Adverts accepted although they have another interval than the configured one.",
			func(i *router) uint64 { return i.Counters.IntervalDiffers }),
		byKey("holdfast_vrrp_adverts_dropped_total", "Adverts for this virtual router that were not accepted. A reason that never occurred has no series.",
			"reason", func(i *router) map[string]uint64 { return i.Counters.Dropped }),
		counter("holdfast_vrrp_adverts_late_total", "Adverts sent more than half an interval after they were due.",
			func(i *router) uint64 { return i.Counters.AdvertsLate }),
		gauge("holdfast_vrrp_advert_lateness_max_seconds", "Longest time that an advert was sent after it was due.",
			func(i *router) float64 { return i.Counters.MaxLateMS / 1000 }),
		counters("holdfast_vrrp_transitions_total", "Changes of state. A change that never occurred has no series.",
			[]string{"from", "to"}, func(i *router, add func(float64, ...string)) {
				for _, move := range sortedKeys(i.Counters.Moves) {
					from, to, _ := strings.Cut(move, " ")
					add(float64(i.Counters.Moves[move]), from, to)
				}
			}),
		counter("holdfast_vrrp_announcements_sent_total", "Gratuitous ARP packets and unsolicited neighbour advertisements sent.",
			func(i *router) uint64 { return i.Counters.AnnouncementsOut }),
		ofFast(boolean("holdfast_vrrp_fast_armed", "1 while this director is BACKUP and takes over as soon as its BFD session with the MASTER is lost and that does not answer.",
			func(i *router) bool { return i.Fast.Armed })),
		ofFast(counter("holdfast_vrrp_fast_takeovers_total", "Takeovers from a MASTER whose BFD session was lost.",
			func(i *router) uint64 { return i.Fast.Takeovers })),
		ofFast(counter("holdfast_vrrp_fast_flaps_total", "BFD sessions that were lost although the MASTER was alive.",
			func(i *router) uint64 { return i.Fast.Flaps })),
		gauge("holdfast_vrrp_policies_missing", "Routes and rules that should be in the kernel and cannot be installed.", func(i *router) (n float64) {
			for _, list := range [][]status.Policy{i.Routes, i.Rules} {
				for j := range list {
					n += number(i.Holding && !list[j].Present && list[j].Why != "")
				}
			}
			return n
		}),
	},
}

// ofFast leaves out the virtual routers without fast = true.
func ofFast(c column[router]) column[router] {
	value := c.value
	c.value = func(i *router) (float64, bool) {
		if i.Fast == nil {
			return 0, false
		}
		return value(i)
	}
	return c
}

// rivalled reports whether another router advertises as MASTER beside i, whether or not
// its adverts are accepted.
func rivalled(i *router) bool {
	if i.State != vrrp.Master.String() {
		return false
	}
	refused := false
	for j := range i.RefusedSpeakers {
		refused = refused || i.RefusedSpeakers[j].Advertises
	}
	return i.Rival != nil || i.CededTo != nil || refused
}

var groupMetrics = table[status.Group]{
	common: []string{"group"},
	columns: []column[status.Group]{
		states("holdfast_group_state", "1 for the state that the sync group has, 0 for the others.",
			vrrpStates, func(g *status.Group) string { return g.State }),
		moment("holdfast_group_state_since_timestamp_seconds", "When the sync group got its state.",
			func(g *status.Group) time.Time { return g.Since }),
	},
}

func routerLabels(i *router) []string      { return []string{i.Name} }
func groupLabels(g *status.Group) []string { return []string{g.Name} }
