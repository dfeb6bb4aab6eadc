package port

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"holdfast/integration/tools"
	"holdfast/netdev/frame"
	"holdfast/netdev/internal/testns"

	"golang.org/x/sys/unix"
)

var (
	source4 = netip.MustParseAddr("10.0.0.9")
	source6 = netip.MustParseAddr("fe80::9")
)

func openPort(t testing.TB, n *testns.NS, name string) (*Port, int) {
	t.Helper()
	n.Enter()
	p, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Shutdown)
	index := n.Index(name)
	testns.Must(t, p.Open(Listen{Name: name, Index: index, IPv4: true, IPv6: true}))
	return p, index
}

func advert(t testing.TB, mac frame.MAC, source, group netip.Addr) *frame.Advert {
	t.Helper()
	a, err := frame.NewAdvert(mac, source, group)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// receive waits for n packets.
func receive(t testing.TB, p *Port, n int) []Packet {
	t.Helper()
	var all []Packet
	for end := time.Now().Add(testns.Timeout); len(all) < n; {
		got, err := p.Receive(end, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range got {
			g.Payload = append([]byte(nil), g.Payload...)
			all = append(all, g)
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d packets came", len(all), n)
		}
	}
	return all
}

func TestPortHearsWhatIsSent(t *testing.T) {
	p := testns.NewPair(t)
	sender, from := openPort(t, p.Neighbour, "net0")
	port, to := openPort(t, p.Director, "eth0")
	for _, c := range []struct{ source, group netip.Addr }{{source4, group4}, {source6, group6}} {
		message := []byte(fmt.Sprintf("advert from %v", c.source))
		n, err := sender.Send([]Frame{{IfIndex: from, Bytes: advert(t, vmac, c.source, c.group).Wrap(message)}})
		if n != 1 || err != nil {
			t.Fatalf("Send: %d, %v", n, err)
		}
		got := receive(t, port, 1)[0]
		if got.IfIndex != to || got.Source != c.source || got.Destination != c.group || got.HopLimit != 255 || string(got.Payload) != string(message) {
			t.Errorf("sent %q from %v to %v, got %+v %q", message, c.source, c.group, got, got.Payload)
		}
	}
	if s := port.Stats(); s.Received != 2 || s.Malformed != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func TestPortDeadline(t *testing.T) {
	p := testns.NewPair(t)
	port, _ := openPort(t, p.Director, "eth0")
	for _, fallback := range []bool{false, true} {
		port.noNS = fallback
		least := time.Hour
		for range 20 {
			start := time.Now()
			deadline := start.Add(2500 * time.Microsecond)
			got, err := port.Receive(deadline, nil)
			if err != nil || len(got) > 0 {
				t.Fatalf("%v, %v", got, err)
			}
			late := time.Since(deadline)
			if late < 0 {
				t.Fatalf("returned %v early", -late)
			}
			least = min(least, late)
		}
		// One timely return of 20 is enough to tell nanoseconds from
		// milliseconds; the machine may be busy for the rest.
		if least > 400*time.Microsecond {
			t.Errorf("never less than %v late (fallback %v)", least, fallback)
		}
	}
	if _, err := port.Receive(time.Now().Add(-time.Second), nil); err != nil {
		t.Errorf("deadline in the past: %v", err)
	}
}

func TestPortWakeAndShutdown(t *testing.T) {
	tools.Root(t, "open packet sockets")
	port, err := New()
	if err != nil {
		t.Fatal(err)
	}
	port.Wake()
	if _, err := port.Receive(time.Time{}, nil); err != nil { // or it hangs
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := port.Receive(time.Time{}, nil)
		done <- err
	}()
	port.Shutdown()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("Receive during Shutdown: %v", err)
	}
	if _, err := port.Receive(time.Time{}, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Receive after Shutdown: %v", err)
	}
	port.Wake()
}

func TestPortErrorsArePerInterface(t *testing.T) {
	p := testns.NewPair(t)
	port, index := openPort(t, p.Director, "eth0")
	other, _ := openPort(t, p.Neighbour, "net0")
	f := advert(t, vmac, netip.MustParseAddr("10.0.0.1"), group4)
	frame := func() []byte { return append([]byte(nil), f.Wrap([]byte("x"))...) }

	n, err := port.Send([]Frame{{IfIndex: index, Bytes: frame()}, {IfIndex: 4711, Bytes: frame()}, {IfIndex: index, Bytes: make([]byte, 9000)}, {IfIndex: index, Bytes: frame()}})
	if n != 2 {
		t.Errorf("%d frames sent, want the two good ones (%v)", n, err)
	}
	if !errors.Is(err, ErrNotOpen) || !errors.Is(err, unix.EMSGSIZE) {
		t.Errorf("want the frame too long and the unknown interface in: %v", err)
	}
	receive(t, other, 2)
	if n, err := port.Send([]Frame{{IfIndex: index, Bytes: nil}, {IfIndex: index, Bytes: frame()}}); n != 1 || !errors.Is(err, unix.EINVAL) {
		t.Errorf("an empty frame beside a good one: %d, %v", n, err)
	}
	receive(t, other, 1)

	p.Director.Run("ip link set eth0 down")
	var failed *SendError
	if n, err = port.Send([]Frame{{IfIndex: index, Bytes: frame()}, {IfIndex: index, Bytes: frame()}}); n != 0 || !errors.As(err, &failed) {
		t.Fatalf("down: %d, %v", n, err)
	}
	if failed.IfIndex != index || failed.Name != "eth0" || failed.Unsent != 2 || !errors.Is(failed, unix.ENETDOWN) {
		t.Errorf("down: %+v", failed)
	}
	p.Director.Run("ip link set eth0 up")
	testns.Eventually(t, "adverts pass after the interface was down", func() bool {
		if n, err := port.Send([]Frame{{IfIndex: index, Bytes: frame()}}); n != 1 || err != nil {
			t.Fatalf("up again: %d, %v", n, err)
		}
		got, _ := other.Receive(time.Now().Add(10*time.Millisecond), nil)
		return len(got) > 0
	})
}

func TestPortInterfaceMadeAnew(t *testing.T) {
	p := testns.NewPair(t)
	port, old := openPort(t, p.Director, "eth0")
	p.Director.Run("ip link delete eth0")
	f := advert(t, vmac, netip.MustParseAddr("10.0.0.1"), group4)
	if n, err := port.Send([]Frame{{IfIndex: old, Bytes: f.Wrap([]byte("x"))}}); n != 0 || err == nil {
		t.Fatalf("sent %d frames on an interface that has gone", n)
	}
	p.Director.Run(`
		ip link add name eth0 type veth peer name peer0
		ip link set peer0 up
		ip link set eth0 up`)
	index := p.Director.Index("eth0")
	if index == old {
		t.Fatal("the kernel used the same index again: the test tests nothing")
	}
	testns.Must(t, port.Open(Listen{Name: "eth0", Index: index, IPv4: true}))
	if port.tx[old] != nil || port.rxOf(old, rx4) != nil {
		t.Error("the sockets of the old interface are still there")
	}
	peer, from := openPort(t, p.Director, "peer0")
	testns.Eventually(t, "adverts pass on the new interface", func() bool { // the link comes up by and by
		if _, err := peer.Send([]Frame{{IfIndex: from, Bytes: f.Wrap([]byte("anew"))}}); err != nil {
			t.Fatal(err)
		}
		got, _ := port.Receive(time.Now().Add(10*time.Millisecond), nil)
		return len(got) > 0
	})
	if n, err := port.Send([]Frame{{IfIndex: index, Bytes: f.Wrap([]byte("x"))}}); n != 1 || err != nil {
		t.Errorf("send on the new interface: %d, %v", n, err)
	}
}

func TestPortOpenErrors(t *testing.T) {
	n := testns.New(t, "empty")
	n.Enter()
	port, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer port.Shutdown()
	if err := port.Open(Listen{Name: "eth7", Index: 77, IPv4: true}); !errors.Is(err, unix.ENODEV) {
		t.Errorf("interface that does not exist: %v", err)
	}
	if len(port.rx)+len(port.tx) != 0 {
		t.Error("a failed Open left sockets")
	}
}

func TestPortAllocatesNothing(t *testing.T) {
	p := testns.NewPair(t)
	port, to := openPort(t, p.Director, "eth0")
	sender, from := openPort(t, p.Neighbour, "net0")
	f4, f6 := advert(t, vmac, source4, group4), advert(t, vmac, source6, group6)
	message := make([]byte, 12)
	frames := make([]Frame, 2)
	var packets []Packet
	round := func() {
		frames[0] = Frame{IfIndex: from, Bytes: f4.Wrap(message)}
		frames[1] = Frame{IfIndex: from, Bytes: f6.Wrap(message)}
		if n, err := sender.Send(frames); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		for got := 0; got < 2; got += len(packets) {
			var err error
			if packets, err = port.Receive(time.Now().Add(testns.Timeout), packets[:0]); err != nil || len(packets) == 0 {
				t.Fatal(len(packets), err)
			}
		}
	}
	round()
	if n := testing.AllocsPerRun(200, round); n != 0 {
		t.Errorf("%v allocations to send and receive two adverts on interface %d", n, to)
	}
}

func BenchmarkPortRoundTrip(b *testing.B) {
	p := testns.NewPair(b)
	port, _ := openPort(b, p.Director, "eth0")
	sender, from := openPort(b, p.Neighbour, "net0")
	f := advert(b, vmac, source4, group4)
	var frames []Frame
	for range 32 {
		frames = append(frames, Frame{IfIndex: from, Bytes: append([]byte(nil), f.Wrap(make([]byte, 12))...)})
	}
	var packets []Packet
	b.ReportAllocs()
	for b.Loop() {
		if n, err := sender.Send(frames); n != 32 {
			b.Fatal(n, err)
		}
		for got := 0; got < 32; got += len(packets) {
			packets, _ = port.Receive(time.Time{}, packets[:0])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/advert")
}

var vmac = frame.MAC{0x00, 0x00, 0x5e, 0x00, 0x01, 0x33}

// After adverts that came one after the other, Receive leaves the next one in the queue
// for a moment, for what may follow; and it keeps a deadline none the less.
func TestRushIsGathered(t *testing.T) {
	p := testns.NewPair(t)
	sender, from := openPort(t, p.Neighbour, "net0")
	port, _ := openPort(t, p.Director, "eth0")
	frames := []Frame{{IfIndex: from, Bytes: advert(t, vmac, source4, group4).Wrap([]byte("advert"))}}
	end := time.Now().Add(testns.Timeout)
	short := 0 // a signal may end the pause of one or two
	for rushes := 0; rushes < 20; {
		_, _ = sender.Send(frames)
		rush, start := port.rush.on, time.Now()
		got, err := port.Receive(end, nil)
		testns.Must(t, err)
		if len(got) == 0 {
			t.Fatalf("no advert came; %d in a rush", rushes)
		}
		if rush {
			rushes++
			if time.Since(start) < gatherPause {
				short++
			}
		}
	}
	if short > 5 {
		t.Errorf("%d of 20 adverts in a rush were not left", short)
	}
	port.rush = rush{last: time.Now(), on: true}
	deadline := time.Now().Add(25 * time.Millisecond)
	for time.Now().Before(deadline) {
		if _, err := port.Receive(deadline, nil); err != nil {
			t.Fatal(err)
		}
		if early := time.Until(deadline); early > 2*rushGap {
			t.Errorf("returned %v early", early)
		}
	}
}

func TestNaps(t *testing.T) {
	var r rush
	at := time.Now()
	expect := func(after string, before, behind bool) {
		t.Helper()
		for _, away := range []time.Duration{gatherMargin, time.Second} {
			if n := r.naps(away, false); (n.before != nil) != before || (n.after != nil) != behind {
				t.Errorf("after %s, %v before the deadline: %+v", after, away, n)
			}
		}
		if n := r.naps(0, true); (n.before != nil) != before || (n.after != nil) != behind {
			t.Errorf("after %s, without a deadline: %+v", after, n)
		}
		if n := r.naps(gatherMargin-1, false); (n.before != nil) != before || n.after != nil {
			t.Errorf("after %s, when the deadline of a session is near: %+v", after, n)
		}
		if n := r.naps(rushMargin-1, false); n != (naps{}) {
			t.Errorf("after %s, when the deadline is near: %+v", after, n)
		}
	}
	arrive := func(later time.Duration, n int) {
		at = at.Add(later)
		r.arrived(at, n)
	}
	arrive(0, 1)
	expect("a lone packet", false, false)
	arrive(gatherPause, 1)
	expect("a rush", true, false)
	arrive(rushGap, 1)
	expect("the rush", false, false)
	arrive(time.Second, crowdLen)
	expect("a crowd", false, true)
	arrive(gatherPause, 1)
	r.on = false // as after the wait
	expect("a crowd with a straggler", false, true)
	arrive(time.Second, crowdLen-1)
	expect("too few for a crowd", false, false)
}

// After a crowd the next one is read at once, though its packets come one after the
// other; but Wake wakes Receive without a pause.
func TestCrowdIsGathered(t *testing.T) {
	p := testns.NewPair(t)
	sender, from := openPort(t, p.Neighbour, "net0")
	port, _ := openPort(t, p.Director, "eth0")
	one := []Frame{{IfIndex: from, Bytes: advert(t, vmac, source4, group4).Wrap([]byte("advert"))}}
	end := time.Now().Add(testns.Timeout)
	all := 0 // another program may keep the sender from its processor
	for range 20 {
		port.rush = rush{crowd: true}
		go func() {
			for range 10 {
				_, _ = sender.Send(one)
			}
		}()
		got, err := port.Receive(end, nil)
		testns.Must(t, err)
		if len(got) == 10 {
			all++
		}
		for n := len(got); n < 10; n += len(got) {
			got, err = port.Receive(end, nil)
			testns.Must(t, err)
		}
	}
	if all < 10 {
		t.Errorf("%d of 20 crowds were read at once", all)
	}
	port.rush = rush{crowd: true}
	port.Wake()
	if got, err := port.Receive(end, nil); err != nil || len(got) != 0 {
		t.Errorf("Wake: %v, %v", got, err)
	}
}
