package speaker

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/vrrp"
)

// beginFast adds and starts a router with fast. With a second address it has a second path,
// eth1.
func (h *host) beginFast(t *testing.T, priority uint8) { h.beginFastAs(t, "v", 10, priority) }

func (h *host) beginFastAs(t *testing.T, name string, vrid, priority uint8) {
	t.Helper()
	r := h.router(name, vrid, priority)
	r.Config.Fast, r.Events = true, []vrrp.Event{vrrp.Start{}}
	h.addPath(&r)
	r.Config.Checksum = vrrp.ChecksumRFC9568 // without the destination, which the pretend wire does not keep
	r.Tx.Interface = "eth0"
	r.Tx.WrapBackup = func(_ netip.Addr, b []byte) []byte { return b }
	if err := h.Add(Unit{Routers: []Router{r}})[0]; err != nil {
		t.Fatal(err)
	}
}

// addPath gives a router a second path, eth1, if the host has an address there.
func (h *host) addPath(r *Router) {
	if !h.port.also.IsValid() {
		return
	}
	r.Config.Paths = []vrrp.PathConfig{{Name: "eth1"}}
	r.Tx.Also = []PathTx{{
		Name: "eth1", IfIndex: wireIndex + 1, Source: h.port.also, Multicast: vrrp.IPv4.MulticastGroup(),
		Wrap:       func(b []byte) []byte { return b },
		WrapBackup: func(_ netip.Addr, b []byte) []byte { return b },
	}}
}

// A lost session makes a BACKUP take over after the grace, if nobody answers its
// question. The session may have been up before the router wanted it.
func TestLostSession(t *testing.T) {
	const interval = 10 * time.Millisecond
	for _, tt := range []struct {
		name  string
		dead  bool
		cause vrrp.DownCause
		moves bool
	}{
		{"dead", true, vrrp.DownSilent, true},
		{"alive", false, vrrp.DownSilent, false},
		{"own lateness", true, vrrp.DownLate, false},
		{"turned off", true, vrrp.DownAdmin, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, l *lan) {
				a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
				b.SessionUp("eth0", a.port.own)
				a.beginFast(t, 200)
				b.beginFast(t, 100)
				time.Sleep(10500 * time.Millisecond) // between two adverts
				snap, err := b.Snapshot()
				if err != nil {
					t.Fatal(err)
				}
				if f := snap.Routers["v"].Machine.Fast; !f.Armed || f.Peer != a.port.own {
					t.Fatalf("before: %+v", f)
				}
				a.port.setCut(tt.dead)
				lost := time.Now()
				down := vrrp.PeerDown{Peer: a.port.own, Cause: tt.cause, Interval: interval}
				b.SessionDown("eth0", down)
				b.SessionDown("eth1", down) // another interface
				time.Sleep(time.Second)
				if moved := b.state(t, "v") == vrrp.Master; moved != tt.moves {
					t.Fatalf("b became MASTER: %v, want %v", moved, tt.moves)
				}
				if !tt.moves {
					return
				}
				r := b.transition(t, "v", vrrp.Master)
				if took := r.At.Sub(lost); took != interval+b.claimTime || !strings.Contains(r.Why, "BFD") {
					t.Errorf("b took over after %v, want %v, because %s", took, interval+b.claimTime, r.Why)
				}
			})
		})
	}
}

// A MASTER with two paths is lost when its sessions on both are down.
func TestLostSessionOnPaths(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.port.also, b.port.also = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("198.51.100.2")
		a.beginFast(t, 200)
		b.beginFast(t, 100)
		time.Sleep(10500 * time.Millisecond) // between two adverts
		if got, want := b.wanted(), []Session{{"eth0", a.port.own}, {"eth1", a.port.also}}; !slices.Equal(got, want) {
			t.Fatalf("b wants the sessions %v, want %v", got, want)
		}
		armed := func(when string) {
			t.Helper()
			time.Sleep(time.Second)
			snap, err := b.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			if v := snap.Routers["v"].Machine; !v.Fast.Armed || v.State != vrrp.Backup || v.Counters.FastFlaps != 0 {
				t.Fatalf("%s: %v, %+v", when, v.State, v.Fast)
			}
		}
		down := func(iface string, peer netip.Addr) {
			b.SessionDown(iface, vrrp.PeerDown{Peer: peer, Cause: vrrp.DownSilent, Interval: 10 * time.Millisecond})
		}
		b.SessionUp("eth1", a.port.also)
		armed("with a session on the second path alone")
		b.SessionUp("eth0", a.port.own)
		armed("with both sessions")
		down("eth1", a.port.also)
		armed("with the first session alone")
		b.SessionUp("eth1", a.port.also)
		down("eth0", a.port.own)
		armed("with the second session alone")
		a.port.setCut(true)
		down("eth1", a.port.also)
		time.Sleep(100 * time.Millisecond)
		if r := b.transition(t, "v", vrrp.Master); !strings.Contains(r.Why, "192.0.2.1 is dead: its BFD session timed out") {
			t.Errorf("b took over because %s", r.Why)
		}
	})
}

// wanted returns the sessions of the last report about them.
func (h *host) wanted() (last []Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.reports {
		if r.Verb == vrrp.WantSession {
			last = r.Sessions
		}
	}
	return last
}

// A MASTER that answers for one virtual router is alive, and nobody replaces it in the
// others, for which it did not answer in time. Its goodbye for one says nothing of the
// others.
func TestOneAnswerForAll(t *testing.T) {
	for _, alive := range []bool{true, false} {
		inBubble(t, func(t *testing.T, l *lan) {
			a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
			b.SessionUp("eth0", a.port.own)
			for i, name := range []string{"v", "w"} {
				a.beginFastAs(t, name, uint8(10+i), 200)
				b.beginFastAs(t, name, uint8(10+i), 100)
			}
			time.Sleep(10500 * time.Millisecond) // between two adverts
			if err := a.do(func(time.Time) {     // what it does not find it does not answer for
				maps.DeleteFunc(a.byKey, func(k key, _ place) bool { return k.vrid == 11 || !alive })
			}); err != nil {
				t.Fatal(err)
			}
			b.SessionDown("eth0", vrrp.PeerDown{Peer: a.port.own, Cause: vrrp.DownSilent, Interval: 10 * time.Millisecond})
			if !alive {
				if err := a.Stop("v"); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(100 * time.Millisecond)
			if moved := b.state(t, "w") == vrrp.Master; moved == alive {
				t.Errorf("a answers: %v; b became MASTER of w: %v", alive, moved)
			}
		})
	}
}

// A session that nobody watches any more is forgotten, also when it fell before.
func TestEndedSessionIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a := l.host(t, "192.0.2.1")
		key := Session{"eth0", strangers}
		a.SessionUp(key.Interface, key.Peer)
		a.SessionDown(key.Interface, vrrp.PeerDown{Peer: key.Peer, Cause: vrrp.DownSilent})
		known := func() (fallen bool) {
			if err := a.do(func(time.Time) { fallen = a.fallen[key] }); err != nil {
				t.Fatal(err)
			}
			return fallen
		}
		if !known() {
			t.Error("a session that fell is not known")
		}
		a.SessionDown(key.Interface, vrrp.PeerDown{Peer: key.Peer, Cause: vrrp.DownAdmin})
		if known() {
			t.Error("a session that has ended is still known")
		}
	})
}

// A message of another type than an advert makes nobody a rival.
func TestBackupAdvertIsNoRival(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, b := l.host(t, "192.0.2.1"), l.host(t, "192.0.2.2")
		a.begin(t, "", 200, "v") // without fast
		b.SessionUp("eth0", a.port.own)
		b.beginFast(t, 100)
		time.Sleep(10 * time.Second)
		snap, err := a.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		v := snap.Routers["v"]
		if v.Counters.Dropped[vrrp.DropType] == 0 || len(v.Refused) > 0 {
			t.Errorf("%d messages dropped for their type, rivals %+v", v.Counters.Dropped[vrrp.DropType], v.Refused)
		}
	})
}
