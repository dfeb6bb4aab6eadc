package speaker

import (
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/vrrp"
)

// A router that cannot send says so in its status, for as long as it cannot.
func TestRefusedFramesAreTold(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		h := l.host(t, "192.0.2.1")
		h.begin(t, "", 200, "v")
		silenced := func() *SendFailure {
			t.Helper()
			snap, err := h.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			return snap.Routers["v"].SendFailure
		}
		refuse := func(err error) {
			l.mu.Lock()
			h.port.error = err
			l.mu.Unlock()
		}
		time.Sleep(5 * time.Second)
		if s := silenced(); s != nil || h.state(t, "v") != vrrp.Master {
			t.Fatalf("silenced %+v, state %v", s, h.state(t, "v"))
		}
		refuse(errors.New("operation not permitted"))
		time.Sleep(time.Second)
		since := time.Now()
		time.Sleep(3 * time.Second)
		if s := silenced(); s == nil || s.Problem != "operation not permitted" || s.Since.After(since) {
			t.Errorf("silenced %+v, want since %v", s, since)
		}
		refuse(nil)
		time.Sleep(time.Second)
		if s := silenced(); s != nil {
			t.Errorf("silenced %+v, though the last frames went out", s)
		}
	})
}

func TestDropsAreCountedByReason(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, stranger := l.host(t, "192.0.2.1"), l.port("192.0.2.9")
		a.begin(t, "", 200, "v")
		advert := vrrp.Advert{Version: 3, VRID: 10, Priority: 250, Interval: time.Second,
			Addresses: a.router("v", 10, 200).Config.Addresses}
		good := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
		bad := append([]byte(nil), good...)
		bad[6] ^= 0xff
		advert.VRID = 99
		foreign := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
		if err := stranger.Send([]Frame{{IfIndex: wireIndex, Bytes: bad}, {IfIndex: wireIndex, Bytes: foreign}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		snap, err := a.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if n := snap.Routers["v"].Counters.Dropped[vrrp.DropChecksum]; n != 1 {
			t.Errorf("%d dropped for their checksum", n)
		}
		if n := snap.Stray[wireIndex].UnknownVRID; n != 1 {
			t.Errorf("%d of an unknown VRID", n)
		}
		if err := errors.Join(a.Stop("v"), a.Remove("v")); err != nil {
			t.Fatal(err)
		}
		// The sum does not fall with the router.
		if snap, err = a.Snapshot(); err != nil || len(snap.Routers) != 0 || snap.Dropped[vrrp.DropChecksum] != 1 {
			t.Errorf("%v, %d routers, %d dropped for their checksum in all", err, len(snap.Routers), snap.Dropped[vrrp.DropChecksum])
		}
	})
}

// Protocol errors are reported once a minute for each kind, other reasons never.
func TestProtocolErrorsAreReported(t *testing.T) {
	inBubble(t, func(t *testing.T, l *lan) {
		a, stranger := l.host(t, "192.0.2.1"), l.port("192.0.2.9")
		a.begin(t, "", 200, "v")
		good := vrrp.Advert{Version: 3, VRID: 10, Priority: 100, Interval: time.Second,
			Addresses: a.router("v", 10, 200).Config.Addresses}
		frame := func(change func(*vrrp.Advert), spoil int) Frame {
			advert := good
			if change != nil {
				change(&advert)
			}
			b := advert.Append(nil, stranger.own, vrrp.IPv4.MulticastGroup(), vrrp.ChecksumPseudo)
			b[spoil] ^= 0x40
			return Frame{IfIndex: wireIndex, Bytes: b}
		}
		checksum, version := frame(nil, 6), frame(nil, 0)
		empty := frame(func(a *vrrp.Advert) { a.Addresses = nil }, 0)
		empty.Bytes[0] ^= 0x40 // no address is no protocol error
		slow := frame(func(a *vrrp.Advert) { a.Interval = 2 * time.Second }, 6)
		slow.Bytes[6] ^= 0x40 // and another interval is heeded
		send := func(frames ...Frame) {
			t.Helper()
			if err := stranger.Send(frames); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Millisecond)
		}
		reports := func() (list []vrrp.Drop) {
			a.mu.Lock()
			defer a.mu.Unlock()
			for _, r := range a.reports {
				if r.Drop != vrrp.DropNone {
					list = append(list, r.Drop)
				}
			}
			return list
		}
		send(empty, checksum, checksum, version, checksum, version, slow, empty)
		if got := reports(); !slices.Equal(got, []vrrp.Drop{vrrp.DropChecksum, vrrp.DropVersion}) {
			t.Errorf("reported %v", got)
		}
		time.Sleep(errorPause)
		send(version, checksum)
		if got := reports(); len(got) != 4 {
			t.Errorf("reported after a minute: %v", got)
		}
		snap, err := a.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if c := snap.Routers["v"].Counters; c.LastError != vrrp.DropChecksum || c.IntervalDiffers != 1 || c.Dropped[vrrp.DropChecksum] != 4 || c.Dropped[vrrp.DropCount] != 2 {
			t.Errorf("counters %+v", c)
		}
	})
}
