package metrics

import (
	"slices"
	"strconv"
	"strings"

	"holdfast/cmd/internal/status"
	"holdfast/vrrp"
)

// The metrics of keepalived-exporter (github.com/mehdy/keepalived-exporter) under its
// names, for dashboards that exist. They are not of the form that Prometheus advises.

// keepalivedUp is the exporter's own metric.
var keepalivedUp = table[director]{columns: []column[director]{
	gauge("keepalived_up", "1: holdfast runs in the place of keepalived.", func(*director) float64 { return 1 }),
}}

// keepalivedRouters has the counters of an instance.
var keepalivedRouters = table[router]{
	common: []string{"iname", "intf", "vrid"},
	columns: []column[router]{
		counter("keepalived_advertisements_received_total", "Adverts received that passed every check.",
			func(i *router) uint64 { return i.Counters.AdvertsReceived }),
		counter("keepalived_advertisements_sent_total", "Adverts sent.", func(i *router) uint64 { return i.Counters.AdvertsSent }),
		counter("keepalived_become_master_total", "Transitions to MASTER.", func(i *router) uint64 { return i.Counters.BecameMaster }),
		counter("keepalived_release_master_total", "Transitions from MASTER.", released),
		keepalivedDrops("keepalived_packet_length_errors_total", "Adverts of a wrong length.", vrrp.DropLength),
		counter("keepalived_advertisements_interval_errors_total", "Adverts with another interval than the configured one.",
			func(i *router) uint64 {
				return i.Counters.IntervalDiffers + i.Counters.Dropped[vrrp.DropInterval.String()]
			}),
		keepalivedDrops("keepalived_ip_ttl_errors_total", "Adverts with a wrong TTL or hop limit.", vrrp.DropHopLimit),
		keepalivedDrops("keepalived_invalid_type_received_total", "Packets of another type than ADVERTISEMENT.", vrrp.DropType),
		counter("keepalived_address_list_errors_total", "Adverts with another address list than the configured one.",
			func(i *router) uint64 {
				return i.Counters.AddressMismatch + i.Counters.Dropped[vrrp.DropAddresses.String()]
			}),
		keepalivedDrops("keepalived_authentication_invalid_total", "Adverts with authentication that cannot be read.", vrrp.DropAuthFormat),
		keepalivedDrops("keepalived_authentication_mismatch_total", "Adverts with another authentication type, or without authentication.", vrrp.DropAuthType, vrrp.DropAuthMissing),
		keepalivedDrops("keepalived_authentication_failure_total", "Adverts whose authentication is wrong.", vrrp.DropAuth, vrrp.DropAuthKey, vrrp.DropAuthStale, vrrp.DropReplay),
		counter("keepalived_priority_zero_received_total", "Adverts received with priority 0.", func(i *router) uint64 { return i.Counters.StopReceived }),
		counter("keepalived_priority_zero_sent_total", "Adverts sent with priority 0.", func(i *router) uint64 { return i.Counters.StopSent }),
	},
}

// keepalivedDrops is a counter of adverts that were dropped for one of some reasons.
func keepalivedDrops(name, help string, reasons ...vrrp.Drop) column[router] {
	return counter(name, help, func(i *router) (n uint64) {
		for _, reason := range reasons {
			n += i.Counters.Dropped[reason.String()]
		}
		return n
	})
}

func released(i *router) (n uint64) {
	for move, count := range i.Counters.Moves {
		if strings.HasPrefix(move, vrrp.Master.String()+" ") {
			n += count
		}
	}
	return n
}

// A keepalivedAddress is a virtual address with its interface.
type keepalivedAddress struct {
	*router
	address, device string
}

var keepalivedAddresses = table[keepalivedAddress]{
	common: []string{"iname", "intf", "vrid", "ip_address"},
	columns: []column[keepalivedAddress]{
		gauge("keepalived_vrrp_state", "0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT.", keepalivedState),
	},
}

var keepalivedExcluded = table[keepalivedAddress]{
	common: keepalivedAddresses.common,
	columns: []column[keepalivedAddress]{
		gauge("keepalived_vrrp_excluded_state", "The state for an address that is not in the adverts: 0 INIT, 1 BACKUP, 2 MASTER, 3 FAULT.", keepalivedState),
	},
}

func keepalivedState(a *keepalivedAddress) float64 { return float64(slices.Index(vrrpStates, a.State)) }

// keepalivedScripts has the scripts that are tracked.
var keepalivedScripts = table[status.Tracker]{
	common: []string{"name"},
	columns: []column[status.Tracker]{
		gauge("keepalived_script_status", "0 bad, 1 good.", func(t *status.Tracker) float64 { return number(t.State == "up") }),
	},
}

// writeKeepalived writes the metrics of the exporter.
func writeKeepalived(x *exposition, s *status.Status) {
	keepalivedUp.write(x, []director{*s}, nil)
	keepalivedRouters.write(x, s.VRRP, func(i *router) []string { return []string{i.Name, i.Interface, strconv.Itoa(i.VRID)} })
	var in, excluded []keepalivedAddress
	for j := range s.VRRP {
		i := &s.VRRP[j]
		for _, address := range i.Addresses {
			a := keepalivedAddress{i, address, addressDevice(i, address)}
			if slices.Contains(i.Excluded, address) {
				excluded = append(excluded, a)
			} else {
				in = append(in, a)
			}
		}
	}
	labels := func(a *keepalivedAddress) []string {
		return []string{a.Name, a.device, strconv.Itoa(a.VRID), a.address}
	}
	keepalivedAddresses.write(x, in, labels)
	keepalivedExcluded.write(x, excluded, labels)
	scripts := slices.DeleteFunc(slices.Clone(s.Trackers), func(t status.Tracker) bool { return t.Type != "script" })
	keepalivedScripts.write(x, scripts, func(t *status.Tracker) []string { return []string{t.Name} })
}

// addressDevice returns the device that an address is on, as keepalived names it.
func addressDevice(i *router, address string) string {
	for _, e := range i.ExtraInterfaces {
		if slices.Contains(e.Addresses, address) {
			if e.Device != "" {
				return e.Device
			}
			return e.Interface
		}
	}
	if i.Device != "" {
		return i.Device
	}
	return i.Interface
}
