package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
)

// pauseOf pauses a notifier whose scripts are no trouble.
func pauseOf(t *testing.T, b *bench) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	defer cancel()
	if err := b.Pause(ctx); err != nil {
		t.Fatal(err)
	}
}

// next returns the notifier of the binary after b's. The test stands for both binaries:
// its process is the parent of the scripts in either. change spoils what is left.
func (b *bench) next(t *testing.T, change func(*Left)) *bench {
	t.Helper()
	pauseOf(t, b)
	text, err := json.Marshal(b.Leave())
	if err != nil {
		t.Fatal(err)
	}
	var left Left
	if err := json.Unmarshal(text, &left); err != nil {
		t.Fatal(err)
	}
	for i := range left.Subjects {
		for _, c := range left.Subjects[i].Calls {
			if c.Run != nil { // the exec leaves it open and ends the rest
				if c.Run.FD, err = unix.Dup(c.Run.FD); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if change != nil {
		change(&left)
	}
	young := newBench(t, nil)
	young.Continue(&left)
	return young
}

func (b *bench) says(t *testing.T, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(b.log.String(), text) {
			t.Errorf("the log lacks %s:\n%s", text, b.log)
		}
	}
}

// told returns which script ended, such as "talks MASTER exit status 3".
func (b *bench) told(t *testing.T) string {
	t.Helper()
	r := b.result(t)
	name := r.Command.Argv[0]
	return fmt.Sprint(name[strings.LastIndexByte(name, '/')+1:], " ", r.State, " ", r.Err)
}

// A script that runs goes on under the next notifier, which takes its output and its
// exit status. What waits is called there, in order and once. Two upgrades are as one.
func TestLeave(t *testing.T) {
	for _, upgrades := range []int{1, 2} {
		b := newBench(t, nil)
		begun, release := newGate(t, b.dir, "begun"), newGate(t, b.dir, "release")
		talks := script(t, b.dir, "talks", fmt.Sprintf("echo first; printf 'half '; echo ready >%s; read x <%s; echo whole; exit 3", begun, release))
		note := script(t, b.dir, "note", `echo "$0" "$@" "in $HOLDFAST_DIRECTOR"`)
		note.Argv = append(note.Argv, "arg")
		b.send(t, event.Master, talks, note)
		begun.read(t)
		b.send(t, Priority, note)
		b.send(t, event.Fault, note)
		all := []*bench{b}
		for range upgrades {
			b = b.next(t, nil)
			all = append(all, b)
		}
		b.Rename("lvs2")
		b.send(t, event.Fault, note) // it waits already
		if st := b.Status(); st.Queued != 3 {
			t.Errorf("%d are queued, want 3", st.Queued)
		}
		b.Resume()
		release.open(t)
		var got []string
		for range 4 {
			got = append(got, b.told(t))
		}
		if want := []string{"talks MASTER exit status 3", "note MASTER <nil>", "note PRIORITY <nil>", "note FAULT <nil>"}; !slices.Equal(got, want) {
			t.Errorf("ran %q, want %q", got, want)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Error(err)
		}
		b.says(t, `line="half whole"`, "exit_code=3", "note arg INSTANCE outside MASTER 150", "note arg INSTANCE outside FAULT 150 in lvs2")
		said := ""
		for _, n := range all {
			said += n.log.String()
			if len(n.results) > 0 {
				t.Errorf("%d scripts too many ran", len(n.results))
			}
		}
		if strings.Count(said, "line=first") != 1 {
			t.Errorf("the first line was not logged once:\n%s", said)
		}
		if st := b.Status(); st.Delivered != 3 || st.Failed != 1 || st.Dropped != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// A script that has ended before the next notifier goes on has its result all the same.
func TestLeftScriptThatHasEnded(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	young := b.next(t, nil)
	pid := young.subjects[subjectKey{Instance, "outside"}].pending[0].run.process.PID()
	ended := watchExit(t, pid)
	release.open(t)
	wait(t, ended, "the script to end")
	if len(b.results)+len(young.results) > 0 {
		t.Fatal("a result was taken during the pause")
	}
	young.send(t, event.Backup, script(t, b.dir, "true", "exit 0")) // which does not replace what has begun
	young.Resume()
	if r := young.result(t); r.Err != nil || r.ExitCode != 0 || r.Took <= 0 || r.State != event.Master {
		t.Errorf("%+v", r)
	}
}

// A script is ended when its own time is over, whichever notifier that is in, and one that
// was told to end is killed.
func TestLeftScriptIsEndedInTime(t *testing.T) {
	for _, at := range []string{"before its end", "in its grace"} {
		t.Run(at, func(t *testing.T) {
			b := newBench(t, nil)
			clock := newFakeClock()
			b.after = clock.after
			command, begun := family(t, b.dir, "trap '' TERM")
			command.Timeout = time.Hour
			b.send(t, event.Master, command)
			var ended []<-chan struct{}
			for _, pid := range pids(t, begun.read(t)) {
				ended = append(ended, watchExit(t, pid))
			}
			if at == "in its grace" {
				clock.expire(t, time.Hour)
				wait(t, clock.timers, "the grace, which begins with SIGTERM")
			}
			young := b.next(t, nil)
			clock = newFakeClock()
			young.after = clock.after
			young.Resume()
			if at == "before its end" {
				timer := wait(t, clock.timers, "the timer of the rest")
				if timer.after >= time.Hour || timer.after < 59*time.Minute {
					t.Errorf("%v are left", timer.after)
				}
				timer.fire <- time.Time{}
			}
			clock.expire(t, young.grace)
			if r := young.result(t); r.Err == nil || r.Err.Error() != "timed out after 1h0m0s" {
				t.Errorf("result %v", r.Err)
			}
			for _, e := range ended {
				wait(t, e, "the processes of the group to be dead")
			}
		})
	}
}

// A notifier that is not replaced after all goes on as if nothing had been.
func TestPauseIsOver(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Parallel = 1 })
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command, command)
	begun.read(t)
	b.sendTo(t, "other", event.Master, command)
	b.send(t, event.Backup, command)
	pauseOf(t, b)
	b.Leave()
	b.send(t, event.Fault, command) // instead of BACKUP, but not of MASTER, which has begun
	b.HandOn()
	b.Keep()
	release.open(t)
	b.Resume()
	b.Resume()
	var got []string
	for range 3 {
		r := b.result(t)
		got = append(got, r.Subject+" "+r.State, begun.read(t))
		release.open(t)
	}
	r := b.result(t)
	got = append(got, r.Subject+" "+r.State)
	want := []string{
		"outside MASTER", "MASTER outside", "outside MASTER", "MASTER other", "other MASTER", "FAULT outside", "outside FAULT",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if st := b.Status(); st.Delivered != 4 || st.Dropped != 1 {
		t.Errorf("%+v", st)
	}
}

// The pipe of a script that runs outlives an exec only while it is handed on.
func TestHandOn(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	pauseOf(t, b)
	left := b.Leave()
	fd := left.Subjects[0].Calls[0].Run.FD
	flags := func() int {
		t.Helper()
		n, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if pid := left.PIDs(); len(pid) != 1 || pid[0] != left.Subjects[0].Calls[0].Run.PID {
		t.Errorf("the processes %v", pid)
	}
	b.HandOn()
	if flags() != 0 {
		t.Error("the next binary would not have the pipe")
	}
	b.Keep()
	if flags() != unix.FD_CLOEXEC {
		t.Error("scripts would have the pipe")
	}
	b.Resume()
	release.open(t)
	b.result(t)
}

// What cannot be taken over is said and counted, and harms nothing that follows.
func TestLeftInVain(t *testing.T) {
	run := func(l *Left) *LeftRun { return l.Subjects[0].Calls[0].Run }
	for _, test := range []struct {
		name   string
		spoil  func(*Left)
		first  string // of the results
		log    string
		failed uint64
		drop   uint64
	}{
		{"no child of ours", func(l *Left) { run(l).PID = 1 }, "gated MASTER its result is not known after the upgrade: process 1 is not a child of this process", "level=ERROR", 1, 0},
		{"no such descriptor", func(l *Left) { unix.Close(run(l).FD); run(l).FD = 9999 }, "gated MASTER <nil>", "the output of a script is lost", 0, 0},
		{"no pipe", func(l *Left) { unix.Close(run(l).FD); run(l).FD = int(os.Stdin.Fd()) }, "gated MASTER <nil>", "is not a pipe", 0, 0},
		{"a call of another kind", func(l *Left) {
			more := l.Subjects[0].Calls[0]
			more.Event.Kind, more.Run = "weather", nil
			l.Subjects[0].Calls = append(l.Subjects[0].Calls, more)
		}, "gated MASTER <nil>", "does not know", 0, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			command, begun, release := gated(t, b.dir)
			b.send(t, event.Master, command)
			begun.read(t)
			b.send(t, event.Fault, script(t, b.dir, "next", "exit 0"))
			young := b.next(t, test.spoil)
			young.Resume()
			release.open(t)
			if got := young.told(t); got != test.first {
				t.Errorf("first %s, want %s", got, test.first)
			}
			if got := young.told(t); got != "next FAULT <nil>" {
				t.Errorf("then %s", got)
			}
			young.says(t, test.log)
			if st := young.Status(); st.Failed != test.failed || st.Dropped != test.drop {
				t.Errorf("%+v", st)
			}
		})
	}
}

// A notifier leaves no more than a bound, and says what it leaves out.
func TestLeaveIsBounded(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	big := stateEvent("outside", event.Fault)
	big.Reason = strings.Repeat("x", maxLeft)
	short := script(t, b.dir, "true", "exit 0")
	if err := b.Send(big, short, short); err != nil {
		t.Fatal(err)
	}
	b.send(t, Priority, short)
	pauseOf(t, b)
	left := b.Leave()
	var states []string
	for _, c := range left.Subjects[0].Calls {
		states = append(states, c.Event.To)
	}
	if !slices.Equal(states, []string{event.Master, "150"}) || left.Status.Dropped != 2 {
		t.Errorf("left %v, %d dropped", states, left.Status.Dropped)
	}
	b.says(t, `level=ERROR msg="the new binary does not take over a script"`, "state=FAULT", "too much waits")
	if st := b.Status(); st.Dropped != 0 {
		t.Errorf("dropped here: %+v", st)
	}
	b.Resume()
	release.open(t)
	for _, want := range []string{"gated MASTER <nil>", "true FAULT", "true FAULT", "true PRIORITY <nil>"} {
		if got := b.told(t); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// A script that is being started while the time of Pause runs out may run or not: it is
// not called again. One that was not even looked at is.
func TestLeaveWhatDoesNotRest(t *testing.T) {
	for _, starting := range []bool{false, true} {
		b := newBench(t, nil)
		command, next := script(t, b.dir, "hangs", "exit 0"), script(t, b.dir, "next", "exit 0")
		e := stateEvent("outside", event.Master)
		c, _ := callOf(&e)
		s := &subject{key: subjectKey{Instance, "outside"}, current: &delivery{call: c, commands: []Command{command, next}, begun: true, starting: starting}}
		b.mu.Lock()
		b.subjects[s.key], b.running = s, 1
		b.mu.Unlock()
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("too late"))
		if err := b.Pause(ctx); err == nil || !strings.Contains(err.Error(), "too late") {
			t.Errorf("Pause: %v", err)
		}
		left := b.Leave()
		if !starting { // the file server answers at last
			if r, ended := b.attempt(t.Context(), s.current); ended || s.current.run != nil {
				t.Errorf("it was started during the pause: %+v", r)
			}
		}
		commands, dropped := 2, uint64(0)
		if starting {
			commands, dropped = 1, 1
			b.says(t, "not known whether it has run")
		}
		if calls := left.Subjects[0].Calls; len(calls) != 1 || len(calls[0].Commands) != commands || calls[0].Run != nil || left.Status.Dropped != dropped {
			t.Errorf("starting %v: left %+v", starting, left)
		}
		b.mu.Lock()
		b.running = 0
		b.mu.Unlock()
	}
}

// The states of subjects that are configured no more are forgotten. Their calls are made,
// as after a reload, and the log says so.
func TestSettle(t *testing.T) {
	b := newBench(t, nil)
	kept, gone := script(t, b.dir, "kept", "exit 0"), script(t, b.dir, "gone", "exit 0")
	pauseOf(t, b)
	b.sendTo(t, "stays", event.Master, kept, gone)
	b.sendTo(t, "goes", event.Master, kept)
	b.sendTo(t, "idle", event.Master)
	young := b.next(t, nil)
	young.scripts = func(e *event.Event) Scripts {
		if e.Subject == "stays" {
			return Scripts{Master: &kept}
		}
		return Scripts{}
	}
	young.Settle(func(kind Kind, name string) bool { return kind == Instance && name == "stays" })
	const said = `msg="a script is run that is not configured any more: its call is older than the upgrade"`
	young.says(t, said+` type=INSTANCE name=stays state=MASTER script=`+gone.Argv[0], said+` type=INSTANCE name=goes state=MASTER script=`+kept.Argv[0])
	if n := strings.Count(young.log.String(), said); n != 2 {
		t.Errorf("said %d times:\n%s", n, young.log)
	}
	young.Resume()
	for range 3 {
		if r := young.result(t); r.Err != nil {
			t.Error(r.Err)
		}
	}
	if err := young.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if s := young.subjects[subjectKey{Instance, "stays"}]; len(young.subjects) != 1 || s == nil || s.state != event.Master {
		t.Errorf("remembered: %v", young.subjects)
	}
}

// A state that was told before the upgrade is not told again, nor a rival.
func TestLeftStates(t *testing.T) {
	b := newBench(t, nil)
	command := script(t, b.dir, "true", "exit 0")
	for _, state := range []string{event.Master, Rival} {
		b.send(t, state, command)
		b.result(t)
	}
	young := b.next(t, nil)
	young.Resume()
	for _, state := range []string{event.Master, Rival, RivalGone} {
		young.send(t, state, command)
	}
	r := young.result(t)
	if st := young.Status(); r.State != RivalGone || st.Dropped > 0 || st.Delivered != 3 {
		t.Errorf("%s was told again: %+v", r.State, st)
	}
}

// The state of a former version has nothing of scripts.
func TestNothingWasLeft(t *testing.T) {
	b := newBench(t, nil)
	var left Left
	if err := json.Unmarshal([]byte("{}"), &left); err != nil || len(left.PIDs()) > 0 {
		t.Fatal(err, left.PIDs())
	}
	b.Continue(&left)
	b.Settle(func(Kind, string) bool { return false })
	b.send(t, event.Master, script(t, b.dir, "true", "exit 0"))
	b.Resume()
	if r := b.result(t); r.Err != nil {
		t.Error(r.Err)
	}
}
