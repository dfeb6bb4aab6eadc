package director

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A trapStage is the subsystem alone, with what it takes.
type trapStage struct {
	*monTraps
	taken chan string
	said  []status.Problem
}

func newTrapStage(t *testing.T) *trapStage {
	t.Helper()
	b, _ := alone(t)
	s := &trapStage{taken: make(chan string, 10)}
	s.monTraps = &monTraps{base: b, problems: func(all []status.Problem) { s.said = all },
		receive: func(group, service string, _ int, _ string) error { s.taken <- group + ":" + service; return nil }}
	t.Cleanup(s.close)
	return s
}

// trapsAt is a configuration with the addresses that traps are received at.
func trapsAt(listen ...netip.AddrPort) *conf.Config {
	return &conf.Config{MonTraps: conf.MonTraps{Listen: listen, Senders: []conf.MonSender{{From: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}}}
}

// trapPort is a UDP port of the loopback, with the socket that has it.
func trapPort(t *testing.T) (netip.AddrPort, *net.UDPConn) {
	t.Helper()
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), conn
}

// An upgrade loses no trap: the new binary reads what has come meanwhile, and so does the
// old one if the new does not start.
func TestTrapsDuringUpgrade(t *testing.T) {
	at, busy := trapPort(t)
	busy.Close()
	conn, err := net.Dial("udp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	send := func(service string) {
		t.Helper()
		if _, err := fmt.Fprintf(conn, "pro='0.3807'\ngrp='web'\nsvc='%s'\nsta='1'\nsum='down'\n", service); err != nil {
			t.Fatal(err)
		}
	}
	old := newTrapStage(t)
	old.apply(trapsAt(at))
	send("before")
	if got := <-old.taken; got != "web:before" {
		t.Fatalf("took %s", got)
	}
	old.suspend()
	send("failed")
	old.apply(trapsAt(at))
	if got := <-old.taken; got != "web:failed" {
		t.Errorf("after an upgrade that failed it took %s", got)
	}
	old.suspend()
	var saved upgradeState
	old.save(&saved)
	fd := saved.TrapSockets[at]
	old.handOn()
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Errorf("the descriptor that is handed on has the flags %#x, %v", flags, err)
	}
	if saved.TrapSockets[at], err = unix.Dup(fd); err != nil { // the exec leaves it open and ends the rest
		t.Fatal(err)
	}
	old.close()
	send("during")
	next := newTrapStage(t)
	next.restore(&saved)
	next.apply(trapsAt(at))
	if got := <-next.taken; got != "web:during" {
		t.Errorf("after the upgrade it took %s", got)
	}
}

// A socket that the new configuration does not name is closed.
func TestTrapsOfFormerBinaryUnwanted(t *testing.T) {
	at, busy := trapPort(t)
	busy.Close()
	old := newTrapStage(t)
	old.apply(trapsAt(at))
	old.suspend()
	var saved upgradeState
	old.save(&saved)
	var err error
	if saved.TrapSockets[at], err = unix.Dup(saved.TrapSockets[at]); err != nil {
		t.Fatal(err)
	}
	old.close()
	next := newTrapStage(t)
	next.restore(&saved)
	next.apply(trapsAt())
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Fatalf("the port is still in use: %v", err)
	}
	conn.Close()
}

// A port that another program has is a problem with words about traps.
func TestTrapsPortInUse(t *testing.T) {
	at, _ := trapPort(t)
	s := newTrapStage(t)
	s.apply(trapsAt(at))
	if len(s.said) != 1 || !strings.Contains(s.said[0].Text, "[mon_traps]") || strings.Contains(s.said[0].Text, "[[listen]]") {
		t.Errorf("problems %+v", s.said)
	}
	var shown status.Status
	s.report(&shown)
	if len(shown.MonTraps) != 1 || shown.MonTraps[0].Listening || shown.MonTraps[0].Problem == "" {
		t.Errorf("status %+v", shown.MonTraps)
	}
}
