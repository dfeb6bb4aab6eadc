package port

import (
	"strings"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"

	"golang.org/x/sys/unix"
)

// handedOn ends a port as an exec does, and returns what another program would
// have of it: its own descriptors of those sockets that outlive the exec.
func handedOn(t *testing.T, p *Port) []OpenSocket {
	t.Helper()
	list, err := p.HandOn()
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if flags, err := unix.FcntlInt(uintptr(list[i].FD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
			t.Errorf("%+v does not outlive an exec: %v", list[i], err)
		}
		if list[i].FD, err = unix.Dup(list[i].FD); err != nil {
			t.Fatal(err)
		}
	}
	p.Shutdown()
	return list
}

// A port that is inherited hears and speaks as the former one, and has what came
// while nobody listened.
func TestPortInherited(t *testing.T) {
	pair := testns.NewPair(t)
	far, there := openPort(t, pair.Neighbour, "net0")
	former, here := openPort(t, pair.Director, "eth0")
	testns.Must(t, former.Open(Listen{Name: "eth0", Index: here, IPv4: true, IPv6: true, AH: true, Unicast: true}))
	sockets := handedOn(t, former)
	if len(sockets) != 6 {
		t.Fatalf("handed on: %+v", sockets)
	}
	say := func(text string) {
		t.Helper()
		if n, err := far.Send([]Frame{
			{IfIndex: there, Bytes: advert(t, vmac, source4, group4).Wrap([]byte(text))},
			{IfIndex: there, Bytes: advert(t, vmac, source6, group6).Wrap([]byte(text))},
		}); n != 2 {
			t.Fatal(err)
		}
	}
	say("meanwhile")
	port, err := Inherit(sockets)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(port.Shutdown)
	for _, s := range sockets {
		if flags, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%+v is handed on to whatever is run: %v", s, err)
		}
	}
	hears := func(text string) {
		t.Helper()
		for _, got := range receive(t, port, 2) {
			if got.IfIndex != here || got.HopLimit != 255 || string(got.Payload) != text {
				t.Errorf("got %+v %q, want %q", got, got.Payload, text)
			}
		}
	}
	hears("meanwhile")
	// Opening it is a change of what is heard, as ever.
	testns.Must(t, port.Open(Listen{Name: "eth0", Index: here, IPv4: true, IPv6: true}))
	say("again")
	hears("again")
	if n, err := port.Send([]Frame{{IfIndex: here, Bytes: advert(t, vmac, source6, group6).Wrap([]byte("answer"))}}); n != 1 {
		t.Fatal(err)
	}
	if got := receive(t, far, 1)[0]; string(got.Payload) != "answer" {
		t.Errorf("the neighbour got %q", got.Payload)
	}
}

// After an exec that failed nothing is handed on any more.
func TestPortKept(t *testing.T) {
	pair := testns.NewPair(t)
	port, _ := openPort(t, pair.Director, "eth0")
	sockets, err := port.HandOn()
	testns.Must(t, err)
	testns.Must(t, port.Keep())
	for _, s := range sockets {
		if flags, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%+v outlives an exec: %v", s, err)
		}
	}
}

// What cannot be inherited leaves no socket behind.
func TestPortInheritErrors(t *testing.T) {
	for name, spoil := range map[string]func([]OpenSocket){
		"its use \"smell\" is unknown": func(s []OpenSocket) { s[len(s)-1].Use = "smell" },
		"no socket that sends there":   func(s []OpenSocket) { s[0], s[1] = s[1], s[0] },
		"bad file descriptor": func(s []OpenSocket) {
			unix.Close(s[0].FD)
			s[0].FD = 1 << 20
		},
	} {
		pair := testns.NewPair(t)
		former, _ := openPort(t, pair.Director, "eth0")
		sockets := handedOn(t, former)
		spoil(sockets)
		port, err := Inherit(sockets)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if port != nil {
			if _, err := port.Receive(time.Now(), nil); err == nil {
				t.Errorf("%s: the port is open", name)
			}
		}
		for _, s := range sockets {
			if _, err := unix.FcntlInt(uintptr(s.FD), unix.F_GETFD, 0); err != unix.EBADF {
				t.Errorf("%s: %+v is open: %v", name, s, err)
			}
		}
	}
}
