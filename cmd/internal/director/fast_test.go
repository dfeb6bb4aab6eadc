package director

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// deafLoop is the loop of a BFD speaker whose turn never comes.
type deafLoop struct{}

func (deafLoop) Watch(int, func()) error { return nil }
func (deafLoop) Unwatch(int)             {}
func (deafLoop) Wake()                   {}

func (deafLoop) SendAhead(time.Time, int, *unix.Msghdr) bool { return false }
func (deafLoop) SentAhead() (int, unix.Errno)                { return 0, 0 }

func (deafLoop) ReceiveAhead(*port.Repeats, int, time.Time, time.Duration, time.Time, []port.MMsghdr) bool {
	return false
}
func (deafLoop) ReceivedAhead() (*port.Repeats, int, int) { return nil, 0, 0 }

// fastStage has the sessions of an instance "a" on eth0, whose address is 192.0.2.1.
func fastStage(peers ...vrrp.PeerConfig) *fastSessions {
	f := newFastSessions(base{log: slog.New(slog.NewTextHandler(io.Discard, nil)), post: func(func()) {}})
	in := &instance{conf: &conf.Instance{Interface: "eth0"}, facts: netdev.Interface{Name: "eth0", Index: 2, IPv4: netip.MustParseAddr("192.0.2.1")}}
	in.conf.Name, in.conf.Fast, in.conf.Peers = "a", true, peers
	sessions := bfd.NewSpeaker(bfd.Options{Log: f.log, Loop: deafLoop{}, OnChange: func(bfd.Change) {}})
	loop := speaker.New(speaker.Options{Port: deafPort{}, Log: f.log})
	f.sessions = func() *bfd.Speaker { return sessions }
	f.vrrp = func() *speaker.Speaker { return loop }
	f.realtime = func() error { return nil }
	f.instances = func() map[string]*instance { return map[string]*instance{"a": in} }
	return f
}

type deafPort struct{ speaker.Port }

func (deafPort) Wake() {}

func stranger(last byte) bfd.Stranger {
	return bfd.Stranger{Interface: "eth0", Source: netip.AddrFrom4([4]byte{192, 0, 2, last}), Ours: netip.MustParseAddr("192.0.2.1")}
}

// A MASTER accepts sessions, but not from everybody, and not from any number of routers.
func TestFastAdmits(t *testing.T) {
	f := fastStage()
	for i := range byte(20) {
		f.met(stranger(100 + i))
	}
	if len(f.peers) != maxFastGuests {
		t.Errorf("%d sessions of strangers, want %d", len(f.peers), maxFastGuests)
	}
	f = fastStage(vrrp.PeerConfig{Address: netip.MustParseAddr("192.0.2.2")})
	other := stranger(2)
	other.Ours = netip.MustParseAddr("192.0.2.100") // a virtual address, say
	f.met(other)
	f.met(stranger(3))
	if len(f.peers) != 0 {
		t.Errorf("sessions that nobody has use for: %v", f.peers)
	}
	f.met(stranger(2))
	if len(f.peers) != 1 {
		t.Error("no session with a peer")
	}
}

// A session stays while an instance wants it, or while its router watches a MASTER here.
func TestFastSweep(t *testing.T) {
	f := fastStage()
	now := time.Now()
	f.wanted(&speaker.Report{Router: "a", Sessions: []speaker.Session{{Interface: "eth0", Peer: netip.MustParseAddr("192.0.2.2")}}})
	f.met(stranger(3))
	f.sweep(now.Add(2 * fastIdle))
	if len(f.peers) != 1 || !f.isWanted(fastKey{"eth0", netip.MustParseAddr("192.0.2.2")}) {
		t.Errorf("after a minute without use: %v", f.peers)
	}
	f.wanted(&speaker.Report{Router: "a"})
	f.met(stranger(3))
	f.peers[fastKey{"eth0", netip.MustParseAddr("192.0.2.3")}].up = true
	f.stateIs("a", true)
	f.sweep(now.Add(4 * fastIdle))
	if p := f.peers[fastKey{"eth0", netip.MustParseAddr("192.0.2.3")}]; p == nil || len(f.peers) != 1 {
		t.Errorf("while MASTER: %v", f.peers)
	}
	f.stateIs("a", false)
	f.sweep(now.Add(6 * fastIdle))
	if len(f.peers) != 0 {
		t.Errorf("without use: %v", f.peers)
	}
}

// Who is watched sends as often as configured, and who only watches does not: also when
// they change places.
func TestFastWatched(t *testing.T) {
	f := fastStage()
	f.timers = bfd.Timers{MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond, Multiplier: 3}
	k := fastKey{"eth0", stranger(2).Source}
	minRx := func() time.Duration { return f.timersOf(f.peers[k]).MinRx }
	report := func(sessions ...speaker.Session) { f.wanted(&speaker.Report{Router: "a", Sessions: sessions}) }
	f.met(stranger(2))
	if got := minRx(); got != fastUnwatched {
		t.Errorf("a BACKUP is to send every %v, want %v", got, fastUnwatched)
	}
	report(speaker.Session{Interface: k.iface, Peer: k.peer})
	if got := minRx(); got != f.timers.MinRx {
		t.Errorf("a MASTER is to send every %v, want %v", got, f.timers.MinRx)
	}
	report(speaker.Session{Interface: k.iface, Peer: k.peer})
	report()
	if got := minRx(); got != fastUnwatched || len(f.wanting) != 0 {
		t.Errorf("who is MASTER no more is to send every %v, want %v; wanted: %v", got, fastUnwatched, f.wanting)
	}
	f.timers.MinRx = time.Minute
	if got := minRx(); got != time.Minute {
		t.Errorf("with a longer min_rx a BACKUP is to send every %v", got)
	}
}

// Without real-time priority the detection time is 100 ms at least.
func TestFastTimers(t *testing.T) {
	f := fastStage()
	c := &conf.Fast{MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond, Multiplier: 3}
	for _, why := range []error{nil, errors.New("not permitted")} {
		f.realtime = func() error { return why }
		f.setTimers(c)
		detection := time.Duration(f.timers.Multiplier) * f.interval()
		if short := detection < unboostedDetection; short != (why == nil) || f.slow != (why != nil) {
			t.Errorf("real-time priority: %v: detection time %v", why, detection)
		}
	}
}

// The status says how often packets are really sent: the other router may send its own
// less often, or bear fewer, and a session of the configuration has its own timers.
func TestFastReport(t *testing.T) {
	f := fastStage()
	f.timers = bfd.Timers{MinTx: 10 * time.Millisecond, MinRx: 10 * time.Millisecond, Multiplier: 3}
	for _, last := range []byte{3, 4} {
		f.met(stranger(last))
		f.peers[fastKey{"eth0", stranger(last).Source}].up = true
	}
	sessions := []status.BFDSession{
		{Interface: "eth0", Neighbour: "192.0.2.2", DetectionMS: 200, Remote: &status.BFDRemote{Multiplier: 5}},
		{Interface: "eth0", Neighbour: "192.0.2.3", TxMS: 10},
		{Neighbour: "192.0.2.4", TxMS: 34},
		{Neighbour: "192.0.2.3", TxMS: 500, Multihop: true},
		{Interface: "eth1", Neighbour: "192.0.2.3", TxMS: 500},
	}
	for _, tt := range []struct {
		state string
		fast  status.Fast
		want  string
	}{
		{event.Backup, status.Fast{Armed: true, Peer: "192.0.2.2"}, "5 x 40"},
		{event.Backup, status.Fast{Armed: true, Peer: "192.0.2.9"}, "3 x 10"},
		{event.Backup, status.Fast{Peer: "192.0.2.2"}, "3 x 10"},
		{event.Master, status.Fast{}, "3 x 34"},
	} {
		st := status.Status{BFD: &status.BFD{Sessions: sessions}}
		st.VRRP = make([]status.Instance, 1)
		v := &st.VRRP[0]
		v.State, v.Interface, v.Family, v.Fast = tt.state, "eth0", vrrp.IPv4.String(), &tt.fast
		f.report(&st)
		if got := fmt.Sprintf("%d x %v", v.Fast.Multiplier, v.Fast.IntervalMS); got != tt.want || len(v.Fast.Backups) != 2 == (tt.state == event.Master) {
			t.Errorf("%s %+v: %s, want %s", tt.state, tt.fast, got, tt.want)
		}
	}
}

// What a session's fall says of the neighbour.
func TestPeerDown(t *testing.T) {
	for _, tt := range []struct {
		c    bfd.Change
		want vrrp.DownCause
	}{
		{bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.DiagExpired, Verdict: bfd.VerdictDown}, vrrp.DownSilent},
		{bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.DiagExpired, Verdict: bfd.VerdictDown, Late: time.Second}, vrrp.DownLate},
		{bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.DiagNeighbourDown, Verdict: bfd.VerdictDown}, vrrp.DownTold},
		{bfd.Change{From: bfd.Up, To: bfd.Down, Diag: bfd.DiagNeighbourDown, Verdict: bfd.VerdictUp}, vrrp.DownAdmin},
		{bfd.Change{From: bfd.Up, To: bfd.AdminDown, Diag: bfd.DiagAdminDown, Verdict: bfd.VerdictDown}, vrrp.DownAdmin},
	} {
		tt.c.Interval = 40 * time.Millisecond
		want := vrrp.PeerDown{Peer: netip.MustParseAddr("192.0.2.2"), Cause: tt.want, Interval: 40 * time.Millisecond}
		if got := peerDown(want.Peer, &tt.c); got != want {
			t.Errorf("%+v: %+v, want %+v", tt.c, got, want)
		}
	}
}
