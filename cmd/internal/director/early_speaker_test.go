package director

import (
	"bytes"
	"encoding/gob"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// An early speaker sends the same frames as the instance: with its keys, from its
// address, to its peers.
func TestEarlySpeakerSpeaksAlike(t *testing.T) {
	own, vip := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.100")
	plain := conf.Instance{
		Config: vrrp.Config{Name: "v", Family: vrrp.IPv4, Version: 3, VRID: 51, Priority: 100, Interval: time.Second, Addresses: []netip.Addr{vip}},
		MAC:    conf.MAC{Address: [6]byte{0, 0, 0x5e, 0, 1, 51}}, TTL: 255,
	}
	peers, hmac, header, elsewhere := plain, plain, plain, plain
	peers.Unicast, peers.TTL = true, 3
	peers.Peers = []vrrp.PeerConfig{{Address: netip.MustParseAddr("10.0.0.3"), MinTTL: 2, MaxTTL: 4}}
	hmac.Auth.Config = auth.Config{Kind: auth.HMAC, Active: 7, Keys: []auth.Key{{ID: 7, Secret: "0123456789abcdef0123456789abcdef"}}}
	header.Auth.Config = auth.Config{Kind: auth.Header, Secret: "password"}
	elsewhere.AdvertMAC, elsewhere.Multicast = conf.AdvertInterface, netip.MustParseAddr("224.0.0.99")
	for name, c := range map[string]conf.Instance{"multicast": plain, "unicast": peers, "HMAC": hmac, "header": header, "elsewhere": elsewhere} {
		in := &instance{conf: &c, weight: -20, facts: netdev.Interface{Index: 4, MAC: frame.MAC{2, 0, 0, 0, 0, 1}, IPv4: own}}
		d := &routers{instances: map[string]*instance{"v": in}, units: map[string]*runningUnit{"v": {unit: unit{name: "v", members: []*conf.Instance{&c}}}}}
		now := time.Now()
		snap := speaker.Snapshot{At: now, Routers: map[string]*speaker.Status{"v": {Config: c.Config, Resume: vrrp.Resume{
			State: vrrp.Master, Since: now.Add(-time.Hour).Round(0), LastAdvert: now.Add(-30 * time.Millisecond), Promised: time.Second,
		}}}}
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(d.earlyUnits(sinceBoot(), &snap)); err != nil {
			t.Fatal(err)
		}
		var left earlyUnits
		if err := gob.NewDecoder(&b).Decode(&left); err != nil || len(left.Units) != 1 {
			t.Fatalf("%s: %+v, %v", name, left, err)
		}
		u, err := left.Units[0].unit(now)
		if err != nil {
			t.Fatal(err)
		}
		got := u.Routers[0]
		if diff := cmp.Diff(c.Config, got.Config, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Errorf("%s: configuration (-want +got):\n%s", name, diff)
		}
		if !got.Tx.Auth.Equal(&c.Auth.Config) {
			t.Errorf("%s: other keys", name)
		}
		want := []vrrp.Event{vrrp.TrackerWeight{Sum: -20}, snap.Routers["v"].Resume}
		if diff := cmp.Diff(want, got.Events, cmp.Comparer(func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond })); diff != "" {
			t.Errorf("%s: what it hears first (-want +got):\n%s", name, diff)
		}
		v, err := txConfigOf(in)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := frames(&v), frames(&got.Tx); !cmp.Equal(a, b) {
			t.Errorf("%s: frames differ:\n%x\n%x", name, a, b)
		}
	}
}

// frames returns the frames of one message, one for each recipient.
func frames(tx *speaker.TxConfig) (list [][]byte) {
	message := []byte("twelve bytes")
	if tx.Peers == nil {
		return [][]byte{tx.Wrap(message)}
	}
	for _, l := range tx.Peers {
		list = append(list, l.Wrap(message))
	}
	return list
}

// A group that is not MASTER in every member has no early speaker.
func TestEarlySpeakerForWholeUnits(t *testing.T) {
	member := func(name string) *conf.Instance {
		return &conf.Instance{Config: vrrp.Config{Name: name, Interval: time.Second}}
	}
	d := &routers{instances: map[string]*instance{}, units: map[string]*runningUnit{
		"g": {unit: unit{name: "g", group: &conf.Group{}, members: []*conf.Instance{member("a"), member("b")}}},
	}}
	snap := speaker.Snapshot{At: time.Now(), Routers: map[string]*speaker.Status{}}
	for i, state := range []vrrp.State{vrrp.Master, vrrp.Backup} {
		in := d.units["g"].members[i]
		d.instances[in.Name] = &instance{conf: in}
		snap.Routers[in.Name] = &speaker.Status{Resume: vrrp.Resume{State: state}}
	}
	if s := d.earlyUnits(0, &snap); len(s.Units) != 0 {
		t.Errorf("spoken for: %+v", s.Units)
	}
}

// Without a former binary there is no early speaker. A file that cannot be used is an
// error.
func TestNoEarlySpeaker(t *testing.T) {
	if s, err := NewEarlySpeaker(); s != nil || err != nil {
		t.Errorf("%v, %v", s, err)
	}
	var none *EarlySpeaker
	none.relieve([]unit{{name: "v"}})
	none.end()
	if r := none.resumes(); len(r) > 0 {
		t.Errorf("it has come to %v", r)
	}
	for text, left := range map[string]any{"version 99": processState{Version: 99}, "EOF": nil} {
		fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		file := os.NewFile(uintptr(fd), "test")
		if left != nil {
			if err := gob.NewEncoder(file).Encode(left); err != nil {
				t.Fatal(err)
			}
		}
		var e processState
		if _, err := readEarlySpeaker(file, &e); err == nil || !bytes.Contains([]byte(err.Error()), []byte(text)) {
			t.Errorf("%s: %v", text, err)
		}
		file.Close()
	}
}
