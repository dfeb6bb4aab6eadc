package lab

import (
	"fmt"
	"strings"
	"time"
)

// A Duo is a router and two directors, .1, .2 and .3 of 10.0.0.0/24 and
// 2001:db8:a::/64, whose interfaces in that network are of any kind.
type Duo struct {
	*Lab
	Switch    *Switch
	Router    *Host
	Directors []*Host
	daemons   []*Daemon
	egress    bool // data from the virtual addresses has the virtual MAC too
}

// NewDuo builds the network. attach gives a host an interface with the
// addresses, by one or more wires to the switch.
func NewDuo(t T, attach func(h *Host, s *Switch, addresses ...string)) *Duo {
	t.Helper()
	l := New(t)
	d := &Duo{Lab: l, Switch: l.Switch("outside")}
	for i, name := range []string{"router", "lvs1", "lvs2"} {
		h := l.Host(name)
		attach(h, d.Switch, fmt.Sprintf("10.0.0.%d/24", i+1), fmt.Sprintf("2001:db8:a::%d/64", i+1))
		if i == 0 {
			d.Router = h
		} else {
			d.Directors = append(d.Directors, h)
		}
	}
	return d
}

// Start runs holdfast on both directors, with a virtual router for each family
// on an interface: the first becomes MASTER.
func (d *Duo) Start(t T, parent, options string) []*Daemon {
	t.Helper()
	d.egress = strings.Contains(options, "egress = true")
	for i, h := range d.Directors {
		text := ""
		for _, r := range [][2]string{{"four", fmt.Sprintf("%q", VIP+"/24")}, {"six", fmt.Sprintf(`"fe80::5e:51", %q`, VIP6+"/64")}} {
			text += fmt.Sprintf("[[vrrp]]\nname = %q\ninterface = %q\nvrid = 51\npriority = %d\ninterval = \"200ms\"\naddresses = [%s]\n%s\n",
				r[0], parent, 200-50*i, r[1], options)
		}
		text += "[[group]]\nname = \"director\"\nmembers = [\"four\", \"six\"]\n"
		d.daemons = append(d.daemons, h.Holdfast(text))
		state := "BACKUP"
		if i == 0 {
			state = "MASTER"
		}
		d.daemons[i].AwaitState(t, state)
	}
	return d.daemons
}

// Works has the router talk to the virtual addresses while the first director
// is MASTER, and then, after that one's sudden death, the second. The router
// must never see another MAC address than the virtual one, and no frame with it
// may leave the BACKUP by any of its wires.
func (d *Duo) Works(t T) {
	t.Helper()
	entries := map[*NeighbourWatch]MAC{
		d.Router.WatchNeighbour(VIP): VirtualMAC(51), d.Router.WatchNeighbour(VIP6): VirtualMAC6(51),
	}
	probes := []*Probe{d.Router.Probe(VIP, 10*time.Millisecond), d.Router.Probe(VIP6, 10*time.Millisecond)}
	flows := func() {
		t.Helper()
		for _, p := range probes {
			p.AwaitAnswers(t, 20*time.Second, 20)
		}
	}
	var backup []*Capture
	for _, w := range d.Directors[1].Wires {
		backup = append(backup, w.Capture())
	}
	var master []*Capture
	for _, w := range d.Directors[0].Wires {
		master = append(master, w.Capture())
	}
	flows()
	for range 3 { // the BACKUP gets frames for the virtual MAC, and is asked
		d.Switch.Forget()
		d.Router.FlushNeighbours()
		flows()
	}
	d.daemons[1].AwaitState(t, "BACKUP")
	for _, c := range backup {
		for _, f := range c.Frames(func(f Frame) bool { return f.FromHost }) {
			if s := f.Source(); s == VirtualMAC(51) || s == VirtualMAC6(51) {
				t.Errorf("the BACKUP sent a frame from %v: % x", s, f.Bytes)
			}
		}
		_ = c.Stop()
	}
	for _, c := range master {
		if wrong := c.Count(func(f Frame) bool {
			from, ok := f.Speaker()
			own := f.Source() != VirtualMAC(51) && f.Source() != VirtualMAC6(51)
			return ok && f.FromHost && own && (from.String() == VIP || from.String() == VIP6)
		}); d.egress && wrong > 0 {
			t.Errorf("%d frames from a virtual address came not from the virtual MAC", wrong)
		}
		_ = c.Stop()
	}
	d.Directors[0].PowerCut()
	d.daemons[1].AwaitState(t, "MASTER")
	d.Router.FlushNeighbours()
	flows()
	for _, p := range probes {
		p.Stop()
	}
	for w, want := range entries {
		if err := w.Err(); err != nil {
			t.Errorf("%v: %v", w.Address, err)
		}
		if seen := w.Seen(); len(seen) == 0 {
			t.Errorf("%v was never resolved", w.Address)
		}
		for _, s := range w.Seen() {
			if s.MAC != want {
				t.Errorf("%v: %v, want only %v", w.Address, w, want)
				break
			}
		}
	}
}
