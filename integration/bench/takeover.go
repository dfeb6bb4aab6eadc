package main

import (
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// manyAddresses are the virtual addresses of one instance. One is in the
// adverts, which hold no more than 255.
const manyAddresses = 1000

const takeoverInterval = 100 * time.Millisecond

// A cause is why the second director takes over all addresses.
type cause struct {
	name string
	// strike lets the first one leave, and returns how it comes back.
	strike func(m *multitude) (repair func())
	// served says that the first one serves until it hears the second: then
	// nothing is announced before all is up.
	served bool
	// decided says when the second may take over, from what was heard before.
	decided func(heard []lab.Frame) (time.Time, error)
}

var causes = []cause{
	{
		name: "silence",
		strike: func(m *multitude) func() {
			m.wires[0].BlackHole()
			return m.wires[0].Restore
		},
		decided: func(heard []lab.Frame) (time.Time, error) {
			if len(heard) == 0 {
				return time.Time{}, fmt.Errorf("no advert was heard before the takeover")
			}
			return heard[len(heard)-1].Time.Add(masterDown(takeoverInterval)), nil
		},
	},
	{
		name:   "priority 0",
		served: true,
		strike: func(m *multitude) func() {
			m.directors[0].process().Signal(unix.SIGTERM)
			return func() {
				m.directors[0].process().Wait(30 * time.Second)
				m.directors[0].restart()
			}
		},
		decided: func(heard []lab.Frame) (time.Time, error) {
			for _, f := range heard {
				if advert, _ := f.Advert(); advert.Priority == 0 {
					return f.Time.Add(skew(takeoverInterval)), nil
				}
			}
			return time.Time{}, fmt.Errorf("no advert with priority 0 was heard")
		},
	},
}

func runTakeover(o options) []*row {
	var rows []*row
	for _, cause := range causes {
		var heats []*heat
		for _, c := range contenders {
			h := newHeat(o, "takeover", fmt.Sprintf("%d VIPs, %s", manyAddresses, cause.name), takeoverInterval, c, func(t lab.T, h *heat) {
				m := newMultitude(t, c)
				for range o.takeovers {
					h.takeover(m, cause)
				}
			})
			if h != nil && c.name == holdfast.name {
				h.row.bounds = takeoverBounds(cause)
			}
			heats = append(heats, h)
		}
		rows = append(rows, together(takeTurns(heats...)...)...)
	}
	return rows
}

// takeoverBounds are what users of many addresses wait for: the first and the last one.
func takeoverBounds(c cause) []bound {
	bounds := []bound{atMost("last address up ms", theMedian, 20), atMost("all announced ms", theMedian, 30)}
	if c.served {
		return append(bounds, noMoreThanKeepalived("first announcement ms", theMedian, 5))
	}
	return append(bounds, atMost("advert ms", theMedian, 2), atMost("first announcement ms", theMedian, 2))
}

// A multitude is two directors with one virtual router of many addresses.
type multitude struct {
	t         lab.T
	hosts     []*lab.Host
	wires     []*lab.Wire
	directors []director
}

func newMultitude(t lab.T, c contender) *multitude {
	l := lab.New(t)
	m := &multitude{t: t}
	wire := l.Switch("wire")
	var more []string
	for k := 1; k < manyAddresses; k++ {
		more = append(more, fmt.Sprintf("10.1.%d.%d/32", k/250, k%250+1))
	}
	for i := range priorities {
		host := l.Host(fmt.Sprintf("lvs%d", i+1))
		m.hosts = append(m.hosts, host)
		m.wires = append(m.wires, host.Plug(wire, "eth0", fmt.Sprintf("10.0.0.%d/24", i+2)))
		m.directors = append(m.directors, c.launch(host, setup{routers: []router{{
			name: "many", device: "eth0", vrid: outsideVRID, priority: priorities[i], interval: takeoverInterval,
			addresses: []string{lab.VIP + "/24"}, excluded: more,
		}}}))
	}
	m.awaitFirst()
	return m
}

// awaitFirst waits until the first director alone has everything.
func (m *multitude) awaitFirst() {
	awaitOnly(m.t, m.wires[0], m.wires[1], takeoverInterval)
	for i, want := range []int{manyAddresses, 0} {
		lab.Wait(m.t, 60*time.Second, "virtual addresses of "+m.hosts[i].Name, func() (string, bool) {
			n := m.addresses(i)
			return fmt.Sprintf("%d, not %d", n, want), n == want
		})
	}
}

// addresses counts the virtual ones that a director has.
func (m *multitude) addresses(i int) int {
	all, err := m.hosts[i].Link().AddrList(nil, unix.AF_INET)
	if err != nil {
		m.t.Fatalf("list addresses: %v", err)
	}
	n := 0
	for _, address := range all {
		if ip := address.IP.To4(); ip[0] == 10 && (ip[1] == 1 || ip.String() == lab.VIP) {
			n++
		}
	}
	return n
}

func (h *heat) takeover(m *multitude, cause cause) {
	h.turn.Lock()
	defer h.turn.Unlock()
	capture, watch := m.wires[1].CaptureAnnouncements(), m.hosts[1].WatchAddresses()
	first := func(f lab.Frame) bool { _, ok := f.Advert(); return ok && !f.FromHost }
	capture.Await(m.t, 10*time.Second, "an advert of the first director", 1, first)
	repair := cause.strike(m)
	var announced map[netip.Addr]time.Time
	lab.Wait(m.t, 60*time.Second, "takeover of all addresses", func() (string, bool) {
		announced = firstAnnouncements(capture)
		up := len(watch.Up())
		return fmt.Sprintf("%d up, %d announced", up, len(announced)), up == manyAddresses && len(announced) == manyAddresses
	})
	stopCapture(m.t, capture)
	if err := watch.Stop(); err != nil {
		m.t.Errorf("%v", err)
	}
	advert := capture.Frames(lab.Advertised(outsideVRID))[0].Time
	decided, err := cause.decided(capture.Frames(func(f lab.Frame) bool {
		return first(f) && f.Time.Before(advert)
	}))
	if err != nil {
		m.t.Fatalf("%v", err)
	}
	_, lastUp := firstAndLast(noLater(watch.Up(), announced))
	firstSaid, lastSaid := firstAndLast(announced)
	h.note(func(r *row) {
		r.add("advert ms", spread, milliseconds(advert.Sub(decided)))
		r.add("last address up ms", spread, milliseconds(lastUp.Sub(decided))).ratio = true
		r.add("first announcement ms", spread, milliseconds(firstSaid.Sub(decided))).ratio = true
		r.add("all announced ms", spread, milliseconds(lastSaid.Sub(decided))).ratio = true
	}, "last address up %.1f ms after the decision, announced from %.1f to %.1f ms", milliseconds(lastUp.Sub(decided)),
		milliseconds(firstSaid.Sub(decided)), milliseconds(lastSaid.Sub(decided)))
	repair()
	m.awaitFirst()
}

// firstAnnouncements says when the wire's host announced each virtual address
// for the first time.
func firstAnnouncements(c *lab.Capture) map[netip.Addr]time.Time {
	first := map[netip.Addr]time.Time{}
	for _, f := range c.Frames(func(f lab.Frame) bool { return f.FromHost }) {
		address, mac, ok := f.Announcement()
		if _, twice := first[address]; ok && !twice && mac == lab.VirtualMAC(outsideVRID) {
			first[address] = f.Time
		}
	}
	return first
}

// noLater returns when addresses were up: when a watcher read the kernel's message, or when
// they were announced, if that was before. The kernel stamps frames, but not its messages,
// and a busy machine reads a thousand of those late.
func noLater(read, announced map[netip.Addr]time.Time) map[netip.Addr]time.Time {
	up := map[netip.Addr]time.Time{}
	for address, at := range read {
		if said, is := announced[address]; is && said.Before(at) {
			at = said
		}
		up[address] = at
	}
	return up
}

func firstAndLast(times map[netip.Addr]time.Time) (first, last time.Time) {
	for _, at := range times {
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	return first, last
}
