package metrics

import (
	"time"

	"holdfast/cmd/internal/status"
)

// A routerPath is one of several paths of a virtual router.
type routerPath struct {
	*status.Path
	router string
}

// pathMetrics has series only for virtual routers with several paths.
var pathMetrics = table[routerPath]{
	common: []string{"vrrp", "interface"},
	columns: []column[routerPath]{
		boolean("holdfast_vrrp_path_silent", "1 while the MASTER is heard by another path only. Always 0 on a MASTER, which hears nobody.",
			func(p *routerPath) bool { return p.Silent }),
		boolean("holdfast_vrrp_path_sending", "1 while the path has an address that adverts are sent from.",
			func(p *routerPath) bool { return p.Source != "" }),
		moment("holdfast_vrrp_path_last_heard_timestamp_seconds", "When the last advert came by the path.",
			func(p *routerPath) time.Time { return p.LastHeard }),
		counter("holdfast_vrrp_path_adverts_sent_total", "Adverts sent by the path.", func(p *routerPath) uint64 { return p.AdvertsSent }),
		counter("holdfast_vrrp_path_adverts_received_total", "Adverts received by the path that passed every check.",
			func(p *routerPath) uint64 { return p.AdvertsReceived }),
		counter("holdfast_vrrp_path_copies_total", "Adverts received that another path had brought before.",
			func(p *routerPath) uint64 { return p.Copies }),
		byKey("holdfast_vrrp_path_adverts_dropped_total", "Adverts that came by the path and were not accepted. A reason that never occurred has no series.",
			"reason", func(p *routerPath) map[string]uint64 { return p.Dropped }),
	},
}

// paths returns the paths of all virtual routers.
func paths(routers []router) (list []routerPath) {
	for i := range routers {
		for j := range routers[i].Paths {
			list = append(list, routerPath{&routers[i].Paths[j], routers[i].Name})
		}
	}
	return list
}

func pathLabels(p *routerPath) []string { return []string{p.router, p.Interface} }
