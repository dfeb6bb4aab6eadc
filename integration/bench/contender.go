package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"holdfast/integration/lab"
)

// A router is the configuration of a virtual router, the same for every contender.
type router struct {
	name      string
	device    string
	vrid      int
	priority  int
	interval  time.Duration
	addresses []string // with prefix length
	excluded  []string // not in the adverts
}

// A setup is the configuration of one director.
type setup struct {
	routers []router
	grouped bool          // they move together
	fast    time.Duration // between packets of holdfast's `fast`; 0: without
}

// A director is a contender's daemon on a host.
type director interface {
	// process is the daemon; another one after each restart.
	process() *lab.Process
	// restart starts the daemon, after a stop or a crash again.
	restart()
	// handover gives mastership away; errNone if the program cannot.
	handover() error
	// renew replaces the binary in the way that the program provides for.
	renew() error
	// reload applies another configuration.
	reload(setup) error
	// release does what a service manager does after a crash; errNone if that is nothing.
	release() error
}

// errNone says that a program has no such command.
var errNone = errors.New("it has no such command")

// A contender is a VRRP daemon in the race.
type contender struct {
	name   string
	launch func(h *lab.Host, s setup) director
}

var (
	holdfast   = contender{name: "holdfast", launch: launchHoldfast}
	keepalived = contender{name: "keepalived", launch: launchKeepalived}
	contenders = []contender{holdfast, keepalived}
)

// formerName is the contender that -before adds.
const formerName = "before"

// addFormer adds another holdfast binary as a contender, so that one run on one
// machine shows what a change of the code costs.
func addFormer(binary string) {
	contenders = append(contenders, contender{name: formerName, launch: func(h *lab.Host, s setup) director {
		return &holdfastDirector{daemon: h.HoldfastAt(binary, s.toml())}
	}})
}

type holdfastDirector struct{ daemon *lab.Daemon }

func launchHoldfast(h *lab.Host, s setup) director {
	return &holdfastDirector{daemon: h.Holdfast(s.toml())}
}

// tables has a table for each virtual router, with a line more in each.
func (s setup) tables(line string) string {
	var out strings.Builder
	var members []string
	for _, r := range s.routers {
		fmt.Fprintf(&out, "[[vrrp]]\nname = %q\ninterface = %q\nvrid = %d\npriority = %d\ninterval = %q\naddresses = %s\n",
			r.name, r.device, r.vrid, r.priority, r.interval, list(r.addresses))
		if len(r.excluded) > 0 {
			fmt.Fprintf(&out, "excluded_addresses = %s\n", list(r.excluded))
		}
		out.WriteString(line)
		members = append(members, r.name)
	}
	if s.grouped {
		fmt.Fprintf(&out, "[[group]]\nname = \"director\"\nmembers = %s\n", list(members))
	}
	return out.String()
}

func list(words []string) string { return `["` + strings.Join(words, `", "`) + `"]` }

func (d *holdfastDirector) process() *lab.Process { return d.daemon.Process }
func (d *holdfastDirector) restart()              { d.daemon.Restart() }
func (d *holdfastDirector) handover() error       { return d.command("handover") }
func (d *holdfastDirector) renew() error          { return d.command("upgrade") }
func (d *holdfastDirector) release() error        { return d.command("release") }

func (d *holdfastDirector) reload(s setup) error {
	d.daemon.Configure(s.toml())
	return d.command("reload")
}

func (d *holdfastDirector) command(name string) error {
	if _, stderr, err := d.daemon.CLI(name); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(stderr))
	}
	return nil
}

type keepalivedDirector struct {
	host    *lab.Host
	config  string
	running *lab.Process
	// tracking says that the configuration has BFD sessions too.
	tracking bool
}

func launchKeepalived(h *lab.Host, s setup) director {
	d := &keepalivedDirector{host: h, config: s.keepalived()}
	d.restart()
	return d
}

func (s setup) keepalived() string { return lab.KeepalivedConfig(s.grouped, s.virtualRouters()...) }

func (d *keepalivedDirector) process() *lab.Process { return d.running }

func (d *keepalivedDirector) handover() error { return errNone }
func (d *keepalivedDirector) release() error  { return errNone }

func (d *keepalivedDirector) restart() {
	if d.tracking {
		d.running = d.host.KeepalivedBFD(d.config)
		return
	}
	d.running = d.host.Keepalived(d.config)
}

// renew is a restart, because keepalived has no upgrade in place.
func (d *keepalivedDirector) renew() error {
	d.running.Stop()
	d.restart()
	return nil
}

func (d *keepalivedDirector) reload(s setup) error {
	d.config = s.keepalived()
	d.host.KeepalivedReload(d.running, d.config)
	return nil
}
