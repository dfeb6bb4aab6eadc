package ipvs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"holdfast/lvs"
)

func TestOpenWithoutIPVSSaysWhatToDo(t *testing.T) {
	script := filepath.Join(t.TempDir(), "modprobe")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho \"module $2 is nowhere\"\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for modprobe, said := range map[string]string{
		script:         "exit status 1: module ip_vs is nowhere",
		"/no/modprobe": "no such file or directory",
	} {
		_, err := openFamily(context.Background(), "NOSUCHFAMILY", modprobe)
		if !errors.Is(err, ErrAbsent) || !strings.Contains(err.Error(), `"modprobe ip_vs"`) || !strings.Contains(err.Error(), said) {
			t.Errorf("got %v; want the module's name, the command and %q", err, said)
		}
	}
}

// A check finds IPVS in the kernel, or a module that can be loaded, which it does not do.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	script := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	dry := script("dry", "case \"$*\" in *--dry-run*) exit 0; esac\nexit 1\n")
	for _, test := range []struct {
		family, modprobe string
		absent           bool
	}{
		{"nlctrl", "/no/modprobe", false}, // every kernel has it
		{"NOSUCHFAMILY", dry, false},
		{"NOSUCHFAMILY", script("not", "exit 1\n"), true},
		{"NOSUCHFAMILY", "/no/modprobe", true},
	} {
		if err := check(t.Context(), test.family, test.modprobe); errors.Is(err, ErrAbsent) != test.absent || err != nil && !test.absent {
			t.Errorf("%v: %v", test, err)
		}
	}
}

func TestOpenIsBounded(t *testing.T) {
	script := filepath.Join(t.TempDir(), "modprobe")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := openFamily(ctx, "NOSUCHFAMILY", script); !errors.Is(err, ErrAbsent) {
		t.Errorf("got %v", err)
	}
}

// The kernel does not answer a message of type NLMSG_NOOP.
func TestARequestWithoutAnswerEnds(t *testing.T) {
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if _, err := s.ask(unix.NLMSG_NOOP, header{}, request{query: true, timeout: 20 * time.Millisecond}); !errors.Is(err, lvs.ErrUnanswered) {
		t.Errorf("got %v", err)
	}
	if id, err := s.find("nlctrl"); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("the next request finds the controller at %d, %v", id, err)
	}
}

// A hung is a transport whose calls end when they are released.
type hung struct {
	transport
	released chan struct{}
	closed   atomic.Bool
}

func (h *hung) do(request) ([][]byte, error) {
	<-h.released
	return [][]byte{{1}}, nil
}

func (h *hung) batch(requests []request) []error {
	<-h.released
	return make([]error, len(requests))
}

func (h *hung) close() { h.closed.Store(true) }

// A call that hangs makes the others fail at once, until it has ended.
func TestGuardGivesUpOnAHungCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hung{released: make(chan struct{})}
		g := &guard{of: h, timeout: callTimeout}
		for i, want := range []time.Duration{callTimeout, 0} {
			start := time.Now()
			_, err := g.do(request{})
			if !errors.Is(err, lvs.ErrUnanswered) || time.Since(start) != want {
				t.Errorf("call %d: %v after %v, want after %v", i, err, time.Since(start), want)
			}
		}
		if errs := g.batch(make([]request, 3)); len(errs) != 3 || !errors.Is(errs[2], lvs.ErrUnanswered) {
			t.Errorf("a batch: %v", errs)
		}
		close(h.released)
		synctest.Wait()
		if messages, err := g.do(request{}); err != nil || len(messages) != 1 {
			t.Errorf("after the end of the first: %v, %v", messages, err)
		}
		if errs := g.batch(make([]request, 3)); len(errs) != 3 || errors.Join(errs...) != nil {
			t.Errorf("a batch: %v", errs)
		}
	})
}

// The socket of a call that hangs is closed after it, and Close does not wait.
func TestGuardClosesAfterAHungCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hung{released: make(chan struct{})}
		g := &guard{of: h, timeout: callTimeout}
		if _, err := g.do(request{}); !errors.Is(err, lvs.ErrUnanswered) {
			t.Error(err)
		}
		g.close()
		synctest.Wait()
		if h.closed.Load() {
			t.Error("closed under the call")
		}
		close(h.released)
		synctest.Wait()
		if !h.closed.Load() {
			t.Error("never closed")
		}
	})
}

// The generic netlink controller stands for IPVS: it answers every message of a
// batch by its own error, in order, and over the bounds of one system call.
func TestBatchMapsErrors(t *testing.T) {
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.family = unix.GENL_ID_CTRL
	requests := make([]request, 3*batchMessages+7)
	for i := range requests {
		requests[i] = request{command: nl.GENL_CTRL_CMD_GETFAMILY, attrs: []*nl.RtAttr{nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated("nlctrl"))}}
		if i%3 == 1 {
			requests[i].command = 99 // the controller has no such command
		}
	}
	errs := s.batch(requests)
	if len(errs) != len(requests) {
		t.Fatalf("%d answers to %d requests", len(errs), len(requests))
	}
	for i, err := range errs {
		if want := i%3 == 1; errors.Is(err, unix.EOPNOTSUPP) != want || (err != nil) != want {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if id, err := s.find("nlctrl"); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("the next request finds the controller at %d, %v", id, err)
	}
}

// If the kernel does not answer the last message, nothing is known of those that it
// has not refused.
func TestBatchWithoutTheLastAnswer(t *testing.T) {
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var b []byte
	for _, command := range []uint8{nl.GENL_CTRL_CMD_GETFAMILY, 99} {
		attrs := []*nl.RtAttr{nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated("nlctrl"))}
		b = s.message(b, unix.GENL_ID_CTRL, header{command, 1}, 0, attrs)
	}
	if err := s.send(b); err != nil {
		t.Fatal(err)
	}
	errs := s.failures(1, 3)
	if !errors.Is(errs[0], lvs.ErrUnanswered) || !errors.Is(errs[1], unix.EOPNOTSUPP) || !errors.Is(errs[2], lvs.ErrUnanswered) {
		t.Errorf("got %v", errs)
	}
}
