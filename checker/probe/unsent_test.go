package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// What this host cannot send is told apart from what the server refuses.
func TestUnsent(t *testing.T) {
	for name, c := range map[string]struct {
		dial   Dial
		unsent bool
	}{
		"refused":                      {Dial{}, false},
		"a source that is not here":    {Dial{Source: netip.MustParseAddr("192.0.2.1")}, true},
		"a device that does not exist": {Dial{Device: "nosuchdevice"}, true},
	} {
		to := Target{Address: netip.MustParseAddrPort("127.0.0.1:1"), Dial: c.dial, Timeout: time.Second}
		ctx, cancel := context.WithTimeout(t.Context(), to.Timeout)
		err := new(Tools).Prober(TCP{}, to).Probe(ctx)
		cancel()
		if err == nil || errors.Is(err, ErrUnsent) != c.unsent {
			t.Errorf("%s: %v, unsent %v", name, err, errors.Is(err, ErrUnsent))
		}
	}
}

// inNewNamespace runs f in a network namespace of its own, with the loopback interface.
func inNewNamespace(t *testing.T, f func()) {
	t.Helper()
	var refused error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // the thread ends with the goroutine
		if refused = unix.Unshare(unix.CLONE_NEWNET); refused != nil {
			return
		}
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			t.Error(err)
			return
		}
		f()
	}()
	if <-done; refused != nil {
		tools.Without(t, "netns", fmt.Sprintf("no network namespace can be made: %v", refused))
	}
}

// A host without a free local port knows nothing of the server, also where the check has
// a source.
func TestNoFreePort(t *testing.T) {
	inNewNamespace(t, func() {
		if err := os.WriteFile("/proc/sys/net/ipv4/ip_local_port_range", []byte("40000 40000"), 0); err != nil {
			t.Error(err)
			return
		}
		l, err := net.Listen("tcp4", "127.0.0.1:9")
		if err != nil {
			t.Error(err)
			return
		}
		defer l.Close()
		for _, dial := range []Dial{{}, {Source: netip.MustParseAddr("127.0.0.2")}, {Toward: netip.MustParseAddr("127.0.0.3")}} {
			for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
				d := newDialer(Target{Address: netip.MustParseAddrPort("127.0.0.1:9"), Dial: dial}, kind, resetAtClose)
				first, err := d.dial(t.Context())
				if err != nil {
					t.Errorf("%+v: %v", dial, err)
					continue
				}
				_, err = d.dial(t.Context())
				ours := IsInconclusive(err) || errors.Is(err, unix.EADDRNOTAVAIL) && dial == Dial{} // see the checker
				if err == nil || !ours || errors.Is(err, ErrUnsent) && dial != (Dial{}) {
					t.Errorf("%+v: %v", dial, err)
				}
				_ = first.Close()
			}
		}
	})
}
