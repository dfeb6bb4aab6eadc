package notify

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

func TestFailuresAreSaidAndHarmNothing(t *testing.T) {
	b := newBench(t, nil)
	notAProgram := filepath.Join(b.dir, "garbage")
	if err := os.WriteFile(notAProgram, []byte{0, 1, 2}, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		command  Command
		wantCode int
		want     string
	}{
		{"exit status", script(t, b.dir, "three", "exit 3"), 3, "exit status 3"},
		{"signal", script(t, b.dir, "signal", "kill -USR1 $$"), -1, "signal: user defined signal 1"},
		{"missing", Command{Program: program.Program{Argv: []string{"/nonexistent"}}}, -1, "script /nonexistent does not exist"},
		{"not a program", Command{Program: program.Program{Argv: []string{notAProgram}}}, -1, "start the script: fork/exec " + notAProgram + ": exec format error"},
		{"nothing", Command{}, -1, "no script is named"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b.sendTo(t, test.name, event.Master, test.command)
			r := b.result(t)
			if r.Err == nil || r.Err.Error() != test.want || r.ExitCode != test.wantCode {
				t.Errorf("result %v (%d), want %q (%d)", r.Err, r.ExitCode, test.want, test.wantCode)
			}
			b.sendTo(t, test.name, event.Backup, script(t, b.dir, "next", "exit 0"))
			if r := b.result(t); r.Err != nil {
				t.Errorf("the next script: %v", r.Err)
			}
		})
	}
	for _, want := range []string{"level=ERROR", "exit_code=3", `error="exit status 3"`, "does not exist"} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, b.log)
		}
	}
}

func TestOutputIsLoggedLineByLineAndBounded(t *testing.T) {
	b := newBench(t, nil)
	b.send(t, event.Master, script(t, b.dir, "talk", `echo to stdout; echo to stderr >&2; printf 'no newline\033[31m'`))
	b.result(t)
	for _, want := range []string{`line="to stdout"`, `line="to stderr"`, `line="no newline [31m"`} {
		if !strings.Contains(b.log.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, b.log)
		}
	}

	b.send(t, event.Backup, script(t, b.dir, "flood", `i=0; while [ $i -lt 100000 ]; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; i=$((i+1)); done`))
	if r := b.result(t); r.Err != nil {
		t.Errorf("flood: %v", r.Err)
	}
	if got := strings.Count(b.log.String(), "yyyy"); got < maxOutputLines || got > maxOutputLines*8 {
		t.Errorf("%d matches of the flood in the log", got)
	}
	if !strings.Contains(b.log.String(), "cut off") {
		t.Error("the cut is not said")
	}

	b.send(t, event.Fault, script(t, b.dir, "long", `head -c 3000 /dev/zero | tr '\0' z`))
	b.result(t)
	if got := strings.Count(b.log.String(), "line=zz"); got != 3 {
		t.Errorf("a line of 3000 bytes became %d records, want 3", got)
	}
}

// family is a script that starts a child, which starts a grandchild, all deaf
// to SIGTERM if trap says so. It writes the three process ids to the gate.
func family(t *testing.T, dir, trap string) (Command, gate) {
	t.Helper()
	begun := newGate(t, dir, "begun")
	child := script(t, dir, "child", fmt.Sprintf("%s\nsleep 1000 &\necho $PPID $$ $! >%s\nwhile :; do wait; done", trap, begun))
	return script(t, dir, "parent", fmt.Sprintf("%s\n%s &\nwhile :; do wait; done", trap, child.Argv[0])), begun
}

func pids(t *testing.T, text string) []int {
	t.Helper()
	var all []int
	for field := range strings.FieldsSeq(text) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pid)
	}
	return all
}

func TestTimeoutKillsTheWholeProcessGroup(t *testing.T) {
	for _, test := range []struct {
		name, trap string
		needsKill  bool
	}{
		{"heeds SIGTERM", ":", false},
		{"ignores SIGTERM", "trap '' TERM", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, func(o *Options) { o.Grace = 7 * time.Second })
			clock := newFakeClock()
			b.after = clock.after
			command, begun := family(t, b.dir, test.trap)
			command.Timeout = 3 * time.Minute
			b.send(t, event.Master, command)
			var ended []<-chan struct{}
			for _, pid := range pids(t, begun.read(t)) {
				ended = append(ended, watchExit(t, pid))
			}
			clock.expire(t, command.Timeout)
			if test.needsKill {
				clock.expire(t, 7*time.Second)
			}
			r := b.result(t)
			if !errors.Is(r.Err, errTimeout) || r.Err.Error() != "timed out after 3m0s" {
				t.Errorf("result %v", r.Err)
			}
			for _, e := range ended {
				wait(t, e, "the processes of the group to be dead")
			}
		})
	}
}

// What a script starts in the background and forgets about must neither hold
// up the next event by keeping the output pipe, nor be killed.
func TestBackgroundChildIsLetAlone(t *testing.T) {
	b := newBench(t, nil)
	clock := newFakeClock()
	b.after = clock.after
	begun, release := newGate(t, b.dir, "begun"), newGate(t, b.dir, "release")
	b.send(t, event.Master, script(t, b.dir, "daemonise", fmt.Sprintf("(trap '' PIPE; read x <%s; echo alive >%s) &", release, begun)))
	clock.expire(t, outputLag)
	if r := b.result(t); r.Err != nil {
		t.Errorf("result %v", r.Err)
	}
	release.open(t)
	if got := begun.read(t); got != "alive" {
		t.Errorf("the child said %q", got)
	}
}

func TestCloseWaitsForRunningAndWaitingScripts(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	b.send(t, event.Stop, command)
	closed := make(chan error, 1)
	go func() { closed <- b.Close(context.Background()) }()
	release.open(t)
	if got := begun.read(t); got != "STOP outside" {
		t.Fatalf("then %s, want STOP", got)
	}
	select {
	case err := <-closed:
		t.Fatalf("closed (%v) while STOP runs", err)
	default:
	}
	release.open(t)
	if err := wait(t, closed, "Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := b.Send(stateEvent("x", event.Master), command); err != ErrClosed {
		t.Errorf("Send after Close: %v, want ErrClosed", err)
	}
	if err := b.Close(context.Background()); err != ErrClosed {
		t.Errorf("second Close: %v, want ErrClosed", err)
	}
}

// expireHalf fires the timer of a Close that has an hour.
func expireHalf(t *testing.T, clock *fakeClock) {
	t.Helper()
	for {
		half := wait(t, clock.timers, "the timer of half the time")
		if half.after > 29*time.Minute && half.after <= 30*time.Minute {
			half.fire <- time.Time{}
			return
		}
	}
}

func TestCloseEndsAScriptThatHoldsUpStop(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Parallel = 1 })
	clock := newFakeClock()
	b.after = clock.after
	slow, slowBegun := family(t, b.dir, ":")
	stop := script(t, b.dir, "stop", "exit 0")
	b.send(t, event.Master, slow)
	slowBegun.read(t)
	b.send(t, event.Stop, stop)
	b.sendTo(t, "other", event.Stop, stop) // waits for room

	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- b.Close(ctx) }()
	expireHalf(t, clock)
	if err := wait(t, closed, "Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
	got := map[string]error{}
	for range 3 {
		r := b.result(t)
		got[r.State+" "+r.Subject] = r.Err
	}
	want := map[string]error{"MASTER outside": errHurry, "STOP outside": nil, "STOP other": nil}
	if diff := cmp.Diff(want, got, cmpopts.EquateErrors()); diff != "" {
		t.Errorf("how scripts ended (-want +got):\n%s", diff)
	}
}

// At half the time of Close, waiting calls start beside a script that still runs.
func TestCloseStartsAllThatWaitsAtHalfTime(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Parallel = 1 })
	clock := newFakeClock()
	b.after = clock.after
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Stop, command)
	begun.read(t)
	b.sendTo(t, "other", event.Stop, script(t, b.dir, "stop", "exit 0"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	closed := make(chan error, 1)
	go func() { closed <- b.Close(ctx) }()
	expireHalf(t, clock)
	if r := b.result(t); r.Subject != "other" || r.Err != nil {
		t.Errorf("first to end: %s (%v), want other", r.Subject, r.Err)
	}
	release.open(t)
	if r := b.result(t); r.Subject != "outside" || r.Err != nil {
		t.Errorf("second to end: %s (%v), want outside", r.Subject, r.Err)
	}
	if err := wait(t, closed, "Close"); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestCloseKillsWhenItsTimeIsOver(t *testing.T) {
	b := newBench(t, nil)
	command, begun := family(t, b.dir, "trap '' TERM")
	b.send(t, event.Master, command)
	var ended []<-chan struct{}
	for _, pid := range pids(t, begun.read(t)) {
		ended = append(ended, watchExit(t, pid))
	}
	b.send(t, event.Stop, script(t, b.dir, "stop", "exit 0"))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time left"))
	err := b.Close(ctx)
	if want := "notify scripts of 1 subjects did not end in time: no time left"; err == nil || err.Error() != want {
		t.Errorf("Close: %v, want %s", err, want)
	}
	for _, e := range ended {
		wait(t, e, "the processes of the group to be dead")
	}
	if r := b.result(t); !errors.Is(r.Err, errKilled) {
		t.Errorf("MASTER: %v, want killed", r.Err)
	}
	if r := b.result(t); r.Err == nil || !strings.HasPrefix(r.Err.Error(), "not run: ") {
		t.Errorf("STOP: %v, want not run", r.Err)
	}
}

// A script that cannot even be killed, since it waits in the kernel for a dead
// file server, does not keep the director from ending.
func TestCloseDoesNotWaitForTheUnkillable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := New(Options{Log: slog.New(slog.DiscardHandler)})
		n.running = 1 // for ever
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		err := n.Close(ctx)
		if took := time.Since(start); took != 7*time.Second || err == nil || !strings.Contains(err.Error(), "and were not killed in 2s") {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

func TestRename(t *testing.T) {
	b := newBench(t, nil)
	for _, name := range []string{"lvs1", "lvs2"} {
		b.Rename(name)
		b.sendTo(t, name, event.Master, script(t, b.dir, name, `echo "it is $HOLDFAST_DIRECTOR"`))
		b.result(t)
		if want := "it is " + name; !strings.Contains(b.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, b.log)
		}
	}
}
