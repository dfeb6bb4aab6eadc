package checker

import (
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"holdfast/checker/probe"
)

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// tcpCheck returns a check of a listener.
func tcpCheck(l net.Listener) Config {
	c := Default(probe.TCP{})
	c.ID, c.Address = "test", netip.MustParseAddrPort(l.Addr().String())
	c.Timeout = 5 * time.Second
	return c
}

// TestSet runs everything once in real time: a server is well, stops, and comes
// back.
func TestSet(t *testing.T) {
	changes := make(chan Change, 10)
	s := New(Options{OnChange: func(c Change) { changes <- c }})
	defer s.Close()
	l := listen(t, "127.0.0.1:0")
	c := tcpCheck(l)
	c.Interval, c.RetryInterval = 50*time.Millisecond, 10*time.Millisecond
	if err := s.Apply([]Config{c}); err != nil {
		t.Fatal(err)
	}
	next := func(up bool, reason string) {
		t.Helper()
		select {
		case got := <-changes:
			if got.Up != up || got.Reason != reason {
				t.Errorf("up %v: %s; want %v: %s", got.Up, got.Reason, up, reason)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("no change")
		}
	}
	next(true, "answered")
	l.Close()
	next(false, "connect: connection refused")
	listen(t, l.Addr().String())
	next(true, "answered")
}

// withoutFileDescriptors calls f while this process can open no file.
func withoutFileDescriptors(t *testing.T, f func()) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	none := syscall.Rlimit{Cur: 0, Max: old.Max}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none); err != nil {
		t.Fatal(err)
	}
	f()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
}

func TestNoFileDescriptors(t *testing.T) {
	c := tcpCheck(listen(t, "127.0.0.1:0"))
	p := new(probe.Tools).Prober(c.Probe, c.target())
	defer probe.Discard(p)
	if err := p.Probe(t.Context()); err != nil { // it opens the poller's own descriptors
		t.Fatal(err)
	}
	var err error
	withoutFileDescriptors(t, func() { err = p.Probe(t.Context()) })
	if err == nil || err.Error() != "socket: too many open files" {
		t.Errorf("error %v", err)
	}
	q := question{extra: &ordinary, cfg: &c}
	if !q.isOurs(err) {
		t.Errorf("%v counts as a failure of the server", err)
	}
}
