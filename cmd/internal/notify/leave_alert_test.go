package notify

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

// A pager is a sink with the program of an alert, which notes how it is called and then
// waits for a gate.
type pager struct {
	*Sink
	log            *logBuffer
	o              AlertProgramOptions
	record         string
	begun, release gate
}

func newPager(t *testing.T) *pager {
	t.Helper()
	dir := t.TempDir()
	p := &pager{log: &logBuffer{}, record: filepath.Join(dir, "record"), begun: newGate(t, dir, "begun"), release: newGate(t, dir, "release")}
	c := script(t, dir, "page", fmt.Sprintf("echo \"$4\" >>%s; printf 'half '; echo $$ >%s; read status <%s; echo whole; echo \"$4 ends\" >>%[1]s; exit $status", p.record, p.begun, p.release))
	p.o = AlertProgramOptions{Program: c.Program, Mon: true, Timeout: time.Hour}
	p.start(t, nil)
	return p
}

// start starts the sink of the next binary.
func (p *pager) start(t *testing.T, left *LeftSink) {
	t.Helper()
	log := slog.New(slog.NewTextHandler(p.log, nil))
	p.o.Log = log
	p.Sink = ContinueSink("pager", log, SinkOptions{Transport: NewAlertProgram(p.o), Queue: 9, RetryMin: time.Hour, RetryMax: time.Hour}, left)
	t.Cleanup(func() { p.Close(t.Context()) })
}

// leave has the sink rest, and returns what the next binary reads.
func (p *pager) leave(t *testing.T) LeftSink {
	t.Helper()
	p.Rest(t.Context())
	text, err := json.Marshal(p.Leave())
	if err != nil {
		t.Fatal(err)
	}
	var left LeftSink
	if err := json.Unmarshal(text, &left); err != nil {
		t.Fatal(err)
	}
	if a := left.Alert; a != nil { // the exec leaves it open and ends the rest
		if a.Run.FD, err = unix.Dup(a.Run.FD); err != nil {
			t.Fatal(err)
		}
	}
	return left
}

func (p *pager) let(t *testing.T, status string) {
	t.Helper()
	if err := os.WriteFile(string(p.release), []byte(status+"\n"), 0); err != nil {
		t.Fatal(err)
	}
}

// noted waits until exactly these calls were noted, and as much is delivered, failed and
// dropped.
func (p *pager) noted(t *testing.T, want string, delivered, failed, dropped uint64) {
	t.Helper()
	tools.Await(t, "the calls "+want, func() (any, bool) {
		text, _ := os.ReadFile(p.record)
		got, st := strings.Join(strings.Fields(string(text)), " "), p.Status()
		return []any{got, st, p.log}, got == want && st.Queued == 0 && st.Delivered == delivered && st.Failed == failed && st.Dropped == dropped
	})
}

// The program of an alert that runs goes on, and so do the calls behind it, each once. Two
// upgrades are as one, and one that fails changes nothing.
func TestAlertProgramOverUpgrades(t *testing.T) {
	for _, how := range []string{"upgrade", "two upgrades", "no upgrade"} {
		t.Run(how, func(t *testing.T) {
			p := newPager(t)
			p.Send(twoServices())
			p.begun.read(t)
			p.Send(twoServices())
			upgrades := len(strings.Fields(how)) // each during another call
			for call := range 4 {
				if call > 0 {
					p.begun.read(t)
				}
				switch {
				case how == "no upgrade" && call == 1:
					p.Rest(t.Context())
					left := p.Leave()
					p.start(t, &left)
					if hand := p.opts.Transport.(*AlertProgram).hand; hand == nil || hand != left.Alert.hand {
						t.Error("it is not the same program")
					}
				case how != "no upgrade" && call < upgrades:
					left := p.leave(t)
					if len(left.PIDs()) != 1 || len(left.Events) != 1 {
						t.Errorf("left %v", left)
					}
					p.start(t, &left)
				}
				p.let(t, "0")
			}
			p.noted(t, "web web ends mail mail ends web web ends mail mail ends", 2, 0, 0)
			if n := strings.Count(p.log.String(), `line="half whole"`); n != 4 {
				t.Errorf("%d lines are logged, want 4:\n%s", n, p.log)
			}
		})
	}
}

// A program that fails, or is lost, is counted, and the next alert is sent all the same.
func TestAlertProgramFailsAfterUpgrade(t *testing.T) {
	for _, how := range []string{"fails", "is lost", "is late"} {
		t.Run(how, func(t *testing.T) {
			p := newPager(t)
			p.Send(twoServices())
			p.begun.read(t)
			p.Send(twoServices())
			left := p.leave(t)
			var failed, dropped uint64 = 1, 0
			ends, said := "web web ends ", "page: exit status 3"
			switch how {
			case "is lost":
				ended := watchExit(t, left.Alert.Run.PID)
				p.let(t, "0")
				wait(t, ended, "the program to end")
				left.Alert.Run.PID, said = 1, "process 1 is not a child of this process"
			case "is late":
				left.Alert.Run.End, ends, said = 1, "web ", "page: context deadline exceeded"
			}
			p.start(t, &left)
			switch how {
			case "fails":
				p.let(t, "3")
			case "is lost": // the next of its calls is made
				p.begun.read(t)
				p.let(t, "0")
				ends = "web web ends mail mail ends "
			}
			for range 2 {
				p.begun.read(t)
				p.let(t, "0")
			}
			p.noted(t, ends+"web web ends mail mail ends", 2, failed, dropped)
			if !strings.Contains(p.log.String(), said) {
				t.Errorf("the log lacks %s:\n%s", said, p.log)
			}
		})
	}
}

// An alert that waits is left alone, and the sink does not wait for a program that runs.
func TestAlertsRest(t *testing.T) {
	p := newPager(t)
	p.Rest(t.Context())
	p.Send(twoServices())
	left := p.leave(t)
	if len(left.Events) != 1 || left.Alert != nil || len(left.PIDs()) > 0 {
		t.Errorf("left %+v", left)
	}
}

// The output of the program outlives an exec only while it is handed on.
func TestAlertHandOn(t *testing.T) {
	p := newPager(t)
	p.HandOn() // there is nothing
	p.Keep()
	p.Send(twoServices())
	p.begun.read(t)
	p.Rest(t.Context())
	left := p.Leave()
	flags := func() int {
		t.Helper()
		n, err := unix.FcntlInt(uintptr(left.Alert.Run.FD), unix.F_GETFD, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	p.HandOn()
	if flags() != 0 {
		t.Error("the next binary would not have the pipe")
	}
	p.Keep()
	if flags() != unix.FD_CLOEXEC {
		t.Error("programs would have the pipe")
	}
	p.start(t, &left)
	p.let(t, "1")
	p.noted(t, "web web ends", 1, 1, 0)
}

// A program whose alert is not configured any more is heard to its end, and reaped.
func TestAbandon(t *testing.T) {
	p := newPager(t)
	p.Send(event.Event{Kind: event.KindAlert, Alert: twoServices().Alert})
	pid := pids(t, p.begun.read(t))[0]
	left := p.leave(t)
	if left.Alert.Run.PID != pid {
		t.Errorf("left process %d, want %d", left.Alert.Run.PID, pid)
	}
	left.Abandon(slog.New(slog.NewTextHandler(p.log, nil)))
	p.let(t, "0")
	tools.Await(t, "that the program is reaped", func() (any, bool) { err := unix.Kill(pid, 0); return err, err != nil })
	if _, known := program.Ends()[pid]; known {
		t.Error("it is still known as running")
	}
	(&LeftSink{}).Abandon(slog.New(slog.DiscardHandler)) // there is nothing
}
