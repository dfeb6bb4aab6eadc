package clients

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"holdfast/checker/probe"
)

// settings returns settings of each kind of the table that make the client do as
// much as it can.
func settings(t *testing.T) map[string]probe.Settings {
	t.Helper()
	login := probe.Login{User: "ann", Password: "right"}
	sql := probe.SQL{Login: login, Database: "shop", Query: "SELECT 1", Expect: "^1$"}
	upgrade := probe.Default("ldap").(probe.LDAP)
	upgrade.Upgrade, upgrade.TLS = true, probe.DefaultTLS()
	all := map[string]probe.Settings{
		"ldap": upgrade, "ldaps": probe.Default("ldaps"),
		"mysql": probe.MySQL{SQL: sql}, "postgresql": probe.PostgreSQL{SQL: sql},
	}
	for kind := range All {
		if all[kind] == nil || all[kind].Kind() != kind {
			t.Fatalf("no settings of %s", kind)
		}
	}
	return all
}

// serve starts a server that treats every connection alike.
func serve(t *testing.T, treat func(net.Conn)) probe.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				treat(conn)
			}()
		}
	}()
	return probe.Target{Address: netip.MustParseAddrPort(l.Addr().String()), Timeout: 5 * time.Second}
}

// ask makes one attempt and returns its reason, which must come in time.
func ask(t *testing.T, s probe.Settings, to probe.Target, timeout time.Duration) string {
	t.Helper()
	to.Timeout = timeout
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	begun := time.Now()
	err := (&probe.Tools{Clients: All}).Prober(s, to).Probe(ctx)
	if took := time.Since(begun); took > timeout+2*time.Second {
		t.Errorf("%s: the attempt took %v", s.Kind(), took)
	}
	if err == nil {
		t.Fatalf("%s: well", s.Kind())
	}
	return err.Error()
}

// garbage are answers that no server of these protocols gives.
var garbage = map[string]string{
	"text":   "220 mail.example ESMTP\r\n",
	"zeroes": strings.Repeat("\x00", 100),
	"ones":   strings.Repeat("\xff", 100),
	// LDAP: one and two gigabytes follow.
	"long string": "\x04\x84\x3f\xff\xff\xff",
	"long list":   "\x30\x84\x7f\xff\xff\xff",
	"many parts":  "\x30\x83\x0f\x00\x00" + strings.Repeat("\x05\x00", 0x78000),
}

// Whatever a server does, an attempt ends in time, uses little memory, and leaves no
// goroutine and no descriptor.
func TestBadServers(t *testing.T) {
	silent := serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	gone := serve(t, func(net.Conn) {})
	all := settings(t)
	round := func() {
		for kind, s := range all {
			if got := ask(t, s, silent, 50*time.Millisecond); !strings.HasSuffix(got, "timeout after 50ms") {
				t.Errorf("%s, a silent server: %s", kind, got)
			}
			got := ask(t, s, gone, 5*time.Second)
			if !strings.HasSuffix(got, "the server closed the connection too early") && !strings.HasSuffix(got, "connection reset by peer") {
				t.Errorf("%s, a server that hangs up: %s", kind, got)
			}
			for name, answer := range garbage {
				to := serve(t, func(conn net.Conn) {
					_, _ = io.WriteString(conn, answer)
					_, _ = io.Copy(io.Discard, conn)
				})
				if got := ask(t, s, to, 300*time.Millisecond); strings.Contains(got, "panic") || !isPlain(got) {
					t.Errorf("%s, %s: %s", kind, name, got)
				}
			}
		}
	}
	round()
	goroutines, descriptors := quiet(t)
	before := memory()
	round()
	if used := memory() - before; used > 64<<20 {
		t.Errorf("a round allocated %d MiB", used>>20)
	}
	extra := len(all) * len(garbage) // the listeners of the second round
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		g, d := quiet(t)
		if g <= goroutines+extra+3 && d <= descriptors+extra+3 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
		}
	}
}

// isPlain reports whether a reason says what the server did, and not how a library
// stumbled over it.
func isPlain(reason string) bool {
	for _, end := range []string{
		"timeout after 300ms", "connection reset by peer", "the server closed the connection too early", "the server sent more than 1024 KiB",
		"the answer is not that of an LDAP server", "the answer is not that of a MySQL server", "the answer is not that of a PostgreSQL server",
		"TLS: first record does not look like a TLS handshake",
	} {
		if strings.HasSuffix(reason, end) {
			return true
		}
	}
	return false
}

// quiet returns the numbers of goroutines and descriptors.
func quiet(t *testing.T) (goroutines, descriptors int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return runtime.NumGoroutine(), len(entries)
}

// memory returns how many bytes were allocated until now.
func memory() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
