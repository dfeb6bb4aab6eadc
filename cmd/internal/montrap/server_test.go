package montrap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func prefixes(all ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, s := range all {
		list = append(list, netip.MustParsePrefix(s))
	}
	return list
}

// trapOf is a trap of a user.
func trapOf(user, password string) []byte {
	return []byte(fmt.Sprintf("pro='0.3807'\nusr='%s'\npas='%s'\ngrp='web'\nsvc='http'\nsta='1'\nsum='down'\n", user, password))
}

// serverOf returns a server without a socket, and what it takes.
func serverOf(senders ...Sender) (s *Server, taken *[]string) {
	taken = new([]string)
	return &Server{gate: newGate(senders), log: slog.New(slog.NewTextHandler(io.Discard, nil)), counts: Counts{Refused: map[string]uint64{}},
		take: func(from netip.Addr, t *Trap) error {
			if t.Service == "nobody" {
				return errors.New("no service")
			}
			*taken = append(*taken, from.String()+" "+t.User)
			return nil
		}}, taken
}

// Who may send what. The hash is crypt's of "word", by SHA-512.
func TestSenders(t *testing.T) {
	const hash = "$6$rounds=1000$abcdefgh$KtRwhE1sMS.xPitN04X3BCzJYTfZgLPB/qe2MNaeFiecKe939YJhmneGEDhGrkD9NBMumHpkOI0PhioG6VLrO/"
	s, taken := serverOf(
		Sender{From: prefixes("192.0.2.0/24"), User: "plain", Password: "word"},
		Sender{From: prefixes("192.0.2.9/32"), User: "plain", Password: "other"},
		Sender{From: prefixes("2001:db8::/64")},
		Sender{From: prefixes("198.51.100.1/32"), User: "hashed", Hash: hash},
	)
	now := time.Now()
	for _, c := range []struct {
		from, user, password, want string // want is the reason, "": it is taken
	}{
		{"192.0.2.1", "plain", "word", ""}, {"192.0.2.1", "plain", "other", ReasonPassword}, {"192.0.2.9", "plain", "other", ""},
		{"192.0.2.9", "plain", "word", ""}, {"192.0.2.1", "plain", "", ReasonPassword}, {"192.0.2.1", "root", "word", ReasonUser},
		{"2001:db8::7", "any", "thing", ""}, {"2001:db8:1::7", "any", "thing", ReasonSender}, {"203.0.113.1", "plain", "word", ReasonSender},
		{"198.51.100.1", "hashed", "wrong", ReasonPassword}, {"198.51.100.1", "hashed", strings.Repeat("word", 10000), ReasonPassword}, {"198.51.100.1", "hashed", "word", ""},
	} {
		before := s.Counts().Refused[c.want]
		n := len(*taken)
		s.receive(trapOf(c.user, c.password), netip.MustParseAddr(c.from), now)
		if c.want == "" && len(*taken) != n+1 || c.want != "" && s.Counts().Refused[c.want] != before+1 {
			t.Errorf("%s %s %s: taken %d, refused %v, want %q", c.from, c.user, c.password, len(*taken)-n, s.Counts().Refused, c.want)
		}
	}
	s.receive([]byte("hello"), netip.MustParseAddr("192.0.2.1"), now)
	s.receive([]byte(strings.Replace(string(trapOf("plain", "word")), "'http'", "'nobody'", 1)), netip.MustParseAddr("192.0.2.1"), now)
	if c := s.Counts(); c.Refused[ReasonMalformed] != 1 || c.Refused[ReasonService] != 1 || c.Last != "192.0.2.1: no service" || c.Taken != 5 {
		t.Errorf("counts %+v", c)
	}
}

// A flood costs neither the processor nor the alerts more than so much a second.
func TestFlood(t *testing.T) {
	s, taken := serverOf(Sender{From: prefixes("192.0.2.0/24")})
	now, from := time.Now(), netip.MustParseAddr("192.0.2.1")
	for range 3 * maxTraps {
		s.receive(trapOf("a", "b"), from, now)
	}
	if len(*taken) != maxTraps || s.Counts().Refused[ReasonRate] != 2*maxTraps {
		t.Errorf("%d taken, refused %v", len(*taken), s.Counts().Refused)
	}
	s.receive(trapOf("a", "b"), from, now.Add(time.Second))
	if len(*taken) != maxTraps+1 {
		t.Error("a second later none is taken")
	}
}

// Who floods takes nothing from the others, traps or hashes, until all together are too
// many.
func TestBudgets(t *testing.T) {
	var m meter
	now, loud, quiet := time.Now(), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range 2 * maxTraps {
		m.trap(loud, now)
		m.hash(loud)
	}
	if m.trap(loud, now) || m.hash(loud) || !m.trap(quiet, now) || !m.hash(quiet) {
		t.Errorf("after a flood the budgets are %+v, of all %+v", *m.each[quiet], m.all)
	}
	let, hashed := 0, 0
	for i := range 2 * maxAddresses {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if !m.trap(a, now) {
			continue
		}
		let++
		if m.hash(a) {
			hashed++
		}
	}
	if m.all != (spending{maxTrapsOfAll, maxHashesOfAll}) || len(m.each) != maxAddresses {
		t.Errorf("%d addresses were let in %d times and hashed %d times: %+v", len(m.each), let, hashed, m.all)
	}
	if !m.trap(loud, now.Add(time.Second)) || !m.trap(quiet, now.Add(-time.Hour)) {
		t.Error("a second later, or with a clock that was put back, none is let in")
	}
}

// A hash is computed a few times a second at most, and a password that was right is not
// hashed again.
func TestHashesAreBounded(t *testing.T) {
	g := newGate([]Sender{{From: prefixes("192.0.2.1/32"), User: "u", Hash: "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"}})
	from := netip.MustParseAddr("192.0.2.1")
	asked := 0
	slow := func() bool { asked++; return true }
	for range 5 {
		if err := g.admit(from, &Trap{User: "u", Password: "test"}, slow); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("%d hashes for one password", asked)
	}
	if err := g.admit(from, &Trap{User: "u", Password: "other"}, func() bool { return false }); !errors.Is(err, errHashes) {
		t.Errorf("without a hash: %v", err)
	}
}

// The director's loop asks for the counts and sets senders. It waits for no trap at hand.
func TestCountsDoNotWait(t *testing.T) {
	s, _ := serverOf(Sender{From: prefixes("192.0.2.1/32")})
	s.take = func(netip.Addr, *Trap) error {
		s.Counts()
		s.SetSenders(nil)
		return nil
	}
	done := make(chan struct{})
	go func() {
		s.receive(trapOf("a", "b"), netip.MustParseAddr("192.0.2.1"), time.Now())
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the counts, or the senders, wait for the trap")
	}
}

// A password that is not looked at, because too many came, is not called wrong.
func TestFloodOfPasswords(t *testing.T) {
	s, _ := serverOf(Sender{From: prefixes("192.0.2.1/32"), User: "u", Hash: "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0"})
	now := time.Now()
	for i := range maxHashes + 5 {
		s.receive(trapOf("u", fmt.Sprint("wrong", i)), netip.MustParseAddr("192.0.2.1"), now)
	}
	if c := s.Counts(); c.Refused[ReasonPassword] != maxHashes || c.Refused[ReasonRate] != 5 {
		t.Errorf("refused %v", c.Refused)
	}
}

// The socket, with the largest packet.
func TestServe(t *testing.T) {
	got := make(chan *Trap, 1)
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), []Sender{{From: prefixes("127.0.0.0/8")}}, func(_ netip.Addr, t *Trap) error { got <- t; return nil }, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- s.Serve() }()
	conn, err := net.Dial("udp", s.conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	packet := append(trapOf("a", "b"), "dtl='"...)
	packet = append(packet, strings.Repeat("x", MaxSize-len(packet)-1)+"'"...)
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	if trap := <-got; len(trap.Output) < 65000 {
		t.Errorf("%d bytes of output", len(trap.Output))
	}
	s.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A socket is handed over: what arrives while nobody reads is taken afterwards.
func TestHandover(t *testing.T) {
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	got := make(chan string, 10)
	take := func(_ netip.Addr, t *Trap) error { got <- t.User; return nil }
	senders := []Sender{{From: prefixes("127.0.0.0/8")}}
	s, err := Listen(netip.MustParseAddrPort("127.0.0.1:0"), senders, take, quiet)
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(s.conn.LocalAddr().String())
	ended := make(chan error, 1)
	serve := func(s *Server) { go func() { ended <- s.Serve() }() }
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	send := func(user string) {
		t.Helper()
		if _, err := conn.Write(trapOf(user, "")); err != nil {
			t.Fatal(err)
		}
	}
	serve(s)
	s.Pause()
	if err := <-ended; err != nil {
		t.Fatalf("a pause: %v", err)
	}
	send("meanwhile")
	if err := s.Resume(); err != nil { // the binary was not replaced
		t.Fatal(err)
	}
	serve(s)
	if user := <-got; user != "meanwhile" {
		t.Errorf("a trap of %q after the pause", user)
	}
	s.Pause()
	<-ended

	fd, err := unix.Dup(s.FD()) // as the new binary inherits it
	if err != nil {
		t.Fatal(err)
	}
	send("late")
	s.Close()
	if _, err := Adopt(fd, netip.AddrPortFrom(at.Addr(), at.Port()+1), senders, take, quiet); err == nil {
		t.Error("a socket at another address was adopted")
	}
	next, err := Adopt(fd, at, senders, take, quiet)
	if err != nil {
		t.Fatal(err)
	}
	serve(next)
	if user := <-got; user != "late" {
		t.Errorf("a trap of %q after the handover", user)
	}
	next.Close()
	<-ended
	if _, err := Adopt(int(os.Stdin.Fd()), at, senders, take, quiet); err == nil {
		t.Error("what is no socket was adopted")
	}
}
