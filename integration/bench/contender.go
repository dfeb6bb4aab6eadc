package main

import (
	"fmt"
	"strings"
	"time"

	"holdfast/integration/lab"
)

// A router is one virtual router as every contender is told to run it.
type router struct {
	vrid     int
	priority int
	interval time.Duration
	address  string // with prefix length
}

// A contender is a VRRP daemon in the race.
type contender struct {
	name string
	// start starts the daemon on a host with virtual routers on eth0.
	start func(h *lab.Host, routers []router) *lab.Process
}

var contenders = []contender{
	{name: "holdfast", start: startHoldfast},
	{name: "keepalived", start: startKeepalived},
}

func startHoldfast(h *lab.Host, routers []router) *lab.Process {
	var config strings.Builder
	for _, r := range routers {
		fmt.Fprintf(&config, "[[vrrp]]\nname = \"v%d\"\ninterface = \"eth0\"\nvrid = %d\npriority = %d\ninterval = %q\naddresses = [%q]\n\n",
			r.vrid, r.vrid, r.priority, r.interval, r.address)
	}
	return h.Holdfast(config.String()).Process
}

func startKeepalived(h *lab.Host, routers []router) *lab.Process {
	var all []lab.VirtualRouter
	for _, r := range routers {
		all = append(all, lab.VirtualRouter{
			Name: fmt.Sprintf("v%d", r.vrid), Version: 3, Interface: "eth0", VRID: r.vrid,
			Priority: r.priority, Interval: r.interval, Addresses: []string{r.address}, VMAC: true,
		})
	}
	return h.Keepalived(lab.KeepalivedConfig(false, all...))
}
