package bfd

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// Sessions of every kind, with and without an interface beside each other, find
// their neighbours, and end with word of it.
func TestSpeakers(t *testing.T) {
	here, there := newLAN(t)
	a, _ := here.speak(single("four", "10.0.0.2", "", ""), single("bound", "10.0.0.78", "10.0.0.77", "eth0"),
		single("six", "2001:db8::2", "", "eth0"), single("local", "fe80::2", "", "eth0"), multihop(single("far", "10.0.0.2", "10.0.0.1", "")))
	b, heard := there.speak(single("four", "10.0.0.1", "10.0.0.2", "eth0"), single("bound", "10.0.0.77", "10.0.0.78", ""),
		single("six", "2001:db8::1", "", ""), single("local", "fe80::1", "fe80::2", "eth0"), multihop(single("far", "10.0.0.1", "10.0.0.2", "")))
	awaitUp(t, a)
	awaitUp(t, b)
	ports := map[uint16]bool{}
	for name, st := range statuses(a) {
		if st.Port < firstFromPort || ports[st.Port] || st.Trouble != "" || len(st.Dropped) > 0 {
			t.Errorf("%s: %+v", name, st)
		}
		ports[st.Port] = true
	}
	a.Apply(nil, nil, 0)
	for name := range statuses(b) {
		tools.Await(t, name+" hears of the end", func() (any, bool) {
			c := heard.last(name)
			return c, c.To == Down && c.Verdict == VerdictUp && strings.Contains(c.Reason, "AdminDown")
		})
	}
}

// Close tells the neighbours too, and a second Close or anything after it does
// no harm.
func TestClose(t *testing.T) {
	here, there := newLAN(t)
	a, _ := here.speak(single("s", "10.0.0.2", "", ""))
	b, heard := there.speak(single("s", "10.0.0.1", "", ""))
	awaitUp(t, a)
	awaitUp(t, b)
	a.Close()
	a.Close()
	a.Apply([]Config{single("s", "10.0.0.2", "", "")}, nil, 0)
	if list, _ := a.Status(); len(list) != 0 {
		t.Errorf("after the end: %+v", list)
	}
	tools.Await(t, "the other end hears of it", func() (any, bool) {
		c := heard.last("s")
		return c, c.To == Down && strings.Contains(c.Reason, "AdminDown")
	})
}

// One process goes on with what another had up, at the same discriminator and
// port, and the neighbour sees nothing of it.
func TestUpgrade(t *testing.T) {
	here, there := newLAN(t)
	session := single("s", "10.0.0.2", "", "")
	a, _ := here.speak(session)
	b, _ := there.speak(single("s", "10.0.0.1", "", ""))
	awaitUp(t, a)
	awaitUp(t, b)
	a.RelaxTimers()
	tools.Await(t, "the neighbour is prepared", func() (any, bool) {
		told := statuses(b)["s"].RemoteMinTx
		return told, told == time.Second
	})
	known := a.Save()
	before := statuses(a)["s"]
	a.do(func() { a.closeTx(a.table.list[0]) }) // it ends without a word
	a.Close()
	next, told := here.speak()
	next.Apply([]Config{session}, known, time.Second)
	if st := statuses(next)["s"]; st.State != Up || st.Local != before.Local || st.Port != before.Port || !st.Since.Equal(before.Since) {
		t.Errorf("before %+v, after %+v", before, st)
	}
	tools.Await(t, "the usual pace", func() (any, bool) {
		st := statuses(b)["s"]
		return st, st.RemoteMinTx == 500*ms
	})
	if st := statuses(b)["s"]; st.Downs != 0 || st.State != Up || told.last("s") != (Change{}) {
		t.Errorf("the neighbour saw %+v, the new process %+v", st, told.last("s"))
	}
	next.Close()
	// What is too old is of no use.
	late, _ := here.speak()
	late.Apply([]Config{session}, known, time.Minute)
	if st := statuses(late)["s"]; st.Local == before.Local {
		t.Errorf("after a minute: %+v", st)
	}
}

// A process that was kept from its work reads what has come before it holds the
// neighbour for dead.
func TestStall(t *testing.T) {
	here, there := newLAN(t)
	slow := single("s", "10.0.0.2", "", "")
	slow.MinTx, slow.MinRx, slow.Multiplier = 200*ms, 200*ms, 100
	quick := single("s", "10.0.0.1", "", "")
	quick.MinTx, quick.MinRx = 200*ms, 200*ms
	a, heard := here.speak(slow)
	b, _ := there.speak(quick)
	awaitUp(t, a)
	awaitUp(t, b)
	tools.Await(t, "the detection time is short", func() (any, bool) {
		st := statuses(a)["s"]
		return st, st.Detection == 2*time.Second
	})
	a.do(func() { time.Sleep(2500 * ms) })
	if st, last := statuses(a)["s"], heard.last("s"); st.State != Up || st.Downs != 0 || last.To != Up {
		t.Errorf("%+v, told %+v", st, last)
	}
}

// What a reload keeps stays up; what talks in another way begins anew.
func TestApply(t *testing.T) {
	here, there := newLAN(t)
	session := single("s", "10.0.0.2", "", "")
	a, heard := here.speak(session)
	b, _ := there.speak(single("s", "10.0.0.1", "", ""))
	awaitUp(t, a)
	awaitUp(t, b)
	first := statuses(a)["s"]
	session.Multiplier, session.MinTx = 11, 600*ms
	a.Apply([]Config{session, single("more", "10.0.0.99", "", "")}, nil, 0)
	tools.Await(t, "the neighbour knows the other timers", func() (any, bool) {
		st := statuses(b)["s"]
		return st, st.RemoteMinTx == 600*ms && st.RemoteMultiple == 11
	})
	if st := statuses(a)["s"]; st.Local != first.Local || st.Port != first.Port || st.Downs != 0 || heard.last("s").To != Up {
		t.Errorf("before %+v, after %+v", first, st)
	}
	session.Source = netip.MustParseAddr("10.0.0.1")
	a.Apply([]Config{session}, nil, 0)
	tools.Await(t, "the new session is up", func() (any, bool) {
		st := statuses(a)["s"]
		return st, st.State == Up && st.Local != first.Local
	})
	tools.Await(t, "the neighbour saw the former fall", func() (any, bool) {
		st := statuses(b)["s"]
		return st, st.State == Up && st.Downs == 1
	})
}

// Every refused packet is counted by its reason.
func TestDropsOnTheWire(t *testing.T) {
	here, there := newLAN(t)
	here.run("ip link add name eth9 type veth peer name far9\nip link set eth9 up\nip link set far9 up")
	s, _ := here.speak(single("s", "10.0.0.2", "10.0.0.1", ""), single("elsewhere", "10.0.0.99", "", "eth9"),
		multihop(single("far", "10.0.0.78", "", "")))
	local := func(name string) uint32 { return statuses(s)[name].Local }
	there.run("ip address add 10.0.0.99/24 dev eth0")
	down := Packet{State: Down, Multiplier: 3, Mine: 9, MinTx: time.Second, MinRx: time.Second}
	up := func(yours uint32) Packet {
		p := down
		p.Yours, p.State = yours, Up
		return p
	}
	bytes := func(p Packet) []byte { return p.Append(nil) }
	for _, tt := range []struct {
		from, to string
		ttl      int
		payload  []byte
		session  string // "": of no session
		want     Drop
	}{
		{"10.0.0.2", "10.0.0.1:3784", 254, bytes(down), "s", DropTTL},
		{"10.0.0.2", "10.0.0.1:3784", 1, bytes(up(local("s"))), "s", DropTTL},
		{"10.0.0.78", "10.0.0.1:4784", 253, bytes(down), "far", DropTTL},
		{"10.0.0.2", "10.0.0.77:3784", 255, bytes(down), "s", DropDestination},
		{"10.0.0.99", "10.0.0.1:3784", 255, bytes(down), "elsewhere", DropInterface},
		{"10.0.0.78", "10.0.0.1:3784", 255, bytes(down), "", DropNeighbour},
		{"10.0.0.78", "10.0.0.1:3784", 255, bytes(up(local("s"))), "s", DropNeighbour},
		{"10.0.0.2", "10.0.0.1:4784", 255, bytes(up(local("s"))), "s", DropPort},
		{"10.0.0.78", "10.0.0.1:3784", 255, bytes(up(local("far"))), "far", DropPort},
		{"10.0.0.2", "10.0.0.1:3784", 255, bytes(up(local("s") ^ local("far") ^ local("elsewhere"))), "", DropSession},
		{"10.0.0.2", "10.0.0.1:3784", 255, bytes(up(0)), "s", DropYourDiscriminator},
		{"10.0.0.2", "10.0.0.1:3784", 255, []byte("hello"), "s", DropLength},
		{"10.0.0.2", "10.0.0.1:3784", 255, nil, "s", DropLength},
		{"10.0.0.78", "10.0.0.1:3784", 255, make([]byte, 1000), "", DropVersion},
	} {
		count := func() uint64 {
			if tt.session == "" {
				_, dropped := s.Status()
				return dropped[tt.want.String()]
			}
			return statuses(s)[tt.session].Dropped[tt.want.String()]
		}
		before := count()
		if err := there.enter(); err != nil {
			t.Fatal(err)
		}
		conn, err := net.ListenPacket("udp4", tt.from+":50000")
		if err != nil {
			t.Fatal(err)
		}
		to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(tt.to))
		if err := ipv4.NewPacketConn(conn).SetTTL(tt.ttl); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.WriteTo(tt.payload, to); err != nil {
			t.Fatal(err)
		}
		conn.Close()
		tools.Await(t, fmt.Sprintf("%v from %s to %s", tt.want, tt.from, tt.to), func() (any, bool) {
			list, dropped := s.Status()
			return fmt.Sprintf("%+v, %v", list, dropped), count() == before+1
		})
	}
	for name, st := range statuses(s) {
		if st.Received != 0 || st.State != Down {
			t.Errorf("%s heeded %d packets and is %v", name, st.Received, st.State)
		}
	}
}

// Another program at the port is told of, waited for, and kept out afterwards.
func TestPortIsTaken(t *testing.T) {
	here, _ := newLAN(t)
	if err := here.enter(); err != nil {
		t.Fatal(err)
	}
	shared := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) }); e != nil {
			return e
		}
		return err
	}}
	other, err := shared.ListenPacket(t.Context(), "udp4", "0.0.0.0:3784")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := here.speak(single("s", "10.0.0.2", "", ""))
	if got, want := statuses(s)["s"].Trouble, "hear BFD at UDP port 3784: address already in use"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	other.Close()
	tools.Await(t, "the port is ours", func() (any, bool) { st := statuses(s)["s"]; return st, st.Trouble == "" })
	for _, more := range []string{"", "eth0"} { // with one socket and with two
		if more != "" {
			s.Apply([]Config{single("s", "10.0.0.2", "", ""), single("bound", "10.0.0.78", "", more)}, nil, 0)
		}
		if err := here.enter(); err != nil {
			t.Fatal(err)
		}
		if other, err = shared.ListenPacket(t.Context(), "udp4", "0.0.0.0:3784"); err == nil {
			other.Close()
			t.Errorf("another program has the port too (interface %q)", more)
		}
		for name, st := range statuses(s) {
			if st.Trouble != "" {
				t.Errorf("%s: %s", name, st.Trouble)
			}
		}
	}
}

// An interface or address that is not there is told of, and used when it comes;
// so is another interface of the same name.
func TestComesAndGoes(t *testing.T) {
	here, there := newLAN(t)
	s, _ := here.speak(single("s", "10.9.0.2", "10.9.0.1", "eth9"))
	trouble := func(want string) {
		t.Helper()
		tools.Await(t, fmt.Sprintf("trouble %q", want), func() (any, bool) {
			s.LinkChanged("eth9") // as a link event would say
			st := statuses(s)["s"]
			return st, st.Trouble == want
		})
	}
	trouble("there is no interface eth9")
	other, _ := there.speak(single("s", "10.9.0.1", "", ""))
	for range 2 {
		here.run(fmt.Sprintf("ip link add name eth9 type veth peer name eth9 netns /proc/%d/fd/%d\nip link set eth9 up", os.Getpid(), there.fd))
		there.run("ip address add 10.9.0.2/24 dev eth9\nip link set eth9 up")
		trouble("there is no address 10.9.0.1 here")
		here.run("ip address add 10.9.0.1/24 dev eth9")
		trouble("")
		before := [2]uint64{statuses(s)["s"].Received, statuses(other)["s"].Received}
		tools.Await(t, "both hear each other", func() (any, bool) {
			now := [2]uint64{statuses(s)["s"].Received, statuses(other)["s"].Received}
			return now, now[0] > before[0] && now[1] > before[1]+1 // one may have been under way
		})
		here.run("ip link del eth9")
		trouble("there is no interface eth9")
	}
}
