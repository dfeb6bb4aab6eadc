package ipvs

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	moby "github.com/moby/ipvs"
	"github.com/sirupsen/logrus"
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
	if _, err := s.send(unix.NLMSG_NOOP, header{}, request{query: true, timeout: 20 * time.Millisecond}); !errors.Is(err, lvs.ErrUnanswered) {
		t.Errorf("got %v", err)
	}
	if id, err := s.find("nlctrl"); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("the next request finds the controller at %d, %v", id, err)
	}
}

// Closing the socket ends a call that has timed out, although moby/ipvs reads again
// after EAGAIN, which a waiting reader gets when the socket is closed.
func TestCloseWakesAReader(t *testing.T) {
	s, err := openSocket()
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	waits := make(chan struct{})
	go func() {
		close(waits)
		for {
			if _, _, err := s.nl.Receive(); !errors.Is(err, unix.EAGAIN) {
				ended <- err
				return
			}
		}
	}()
	<-waits
	s.close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the reader read something from a closed socket")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the reader still reads")
	}
}

// After a call of moby/ipvs that hangs, the next call works with a new handle.
func TestWatchdogOpensAgain(t *testing.T) {
	c := kernel(t)
	c.watchdog = 50 * time.Millisecond
	hung, release := c.moby, make(chan struct{})
	defer close(release)
	c.mu.Lock()
	_, err := call(c, func(*moby.Handle) (struct{}, error) {
		<-release // no answer comes
		return struct{}{}, nil
	})
	c.mu.Unlock()
	c.watchdog = callTimeout
	if !errors.Is(err, lvs.ErrUnanswered) || c.moby != nil {
		t.Errorf("got %v, and the handle is kept: %v", err, c.moby != nil)
	}
	if err := hung.NewService(toMoby(tcp("10.0.0.1:80"))); err == nil {
		t.Error("the hung handle is still open")
	}
	if err := c.Do(lvs.Op{Verb: lvs.AddService, Service: tcp("10.0.0.1:80")}); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func TestWhatMobySaysGoesToTheLog(t *testing.T) {
	var b bytes.Buffer
	redirectLogrus(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer redirectLogrus(discard)
	logrus.Warn("modprobe was not amused")
	if !strings.Contains(b.String(), "moby/ipvs: modprobe was not amused") {
		t.Errorf("the log has %q", b.String())
	}
}
