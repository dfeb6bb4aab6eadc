package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

func TestScriptGetsArgumentsAndEnvironment(t *testing.T) {
	t.Setenv("SECRET_OF_THE_DAEMON", "1")
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	tests := []struct {
		name     string
		event    event.Event
		own      bool // the script gets its own arguments only
		wantArgs string
		wantEnv  []string
	}{{
		name: "instance",
		event: event.Event{Kind: event.KindInstance, Subject: "out side", To: "MASTER", From: "BACKUP", Reason: "no advert\nheard\x00", At: at,
			Instance: &event.Instance{State: "MASTER", Priority: 150, Interface: "eth0", Device: "vrrp4-51", Family: "ipv4", VRID: 51, Addresses: []string{"10.0.0.100/24", "10.0.0.101/24"}}},
		wantArgs: "[before][INSTANCE][out side][MASTER][150]",
		wantEnv: []string{
			"HOLDFAST_ADDRESSES=10.0.0.100/24 10.0.0.101/24", "HOLDFAST_DEVICE=vrrp4-51", "HOLDFAST_DIRECTOR=lvs1", "HOLDFAST_FAMILY=ipv4",
			"HOLDFAST_INTERFACE=eth0", "HOLDFAST_NAME=out side", "HOLDFAST_OLD_STATE=BACKUP", "HOLDFAST_PRIORITY=150",
			"HOLDFAST_REASON=no advert heard ", "HOLDFAST_STATE=MASTER", "HOLDFAST_TIME=2026-03-01T12:00:00.000000005Z", "HOLDFAST_TYPE=INSTANCE", "HOLDFAST_VRID=51",
			"LANG=C.UTF-8", "PATH=" + program.Path,
		},
	}, {
		name: "rival",
		event: event.Event{Kind: event.KindRival, Subject: "a", To: event.RivalSeen, At: at, Instance: &event.Instance{State: "MASTER", Priority: 150, Interface: "eth0"},
			Detail: map[string]string{"address": "10.0.0.9", "priority": "50", "mac": "00:00:5e:00:01:33"}},
		wantArgs: "[before][INSTANCE][a][RIVAL][150]",
		wantEnv: []string{
			"HOLDFAST_ADDRESSES=", "HOLDFAST_DEVICE=eth0", "HOLDFAST_DIRECTOR=lvs1", "HOLDFAST_FAMILY=", "HOLDFAST_INTERFACE=eth0",
			"HOLDFAST_NAME=a", "HOLDFAST_OLD_STATE=MASTER", "HOLDFAST_PRIORITY=150", "HOLDFAST_REASON=",
			"HOLDFAST_RIVAL=10.0.0.9", "HOLDFAST_RIVAL_MAC=00:00:5e:00:01:33", "HOLDFAST_RIVAL_PRIORITY=50", "HOLDFAST_STATE=RIVAL",
			"HOLDFAST_TIME=2026-03-01T12:00:00.000000005Z", "HOLDFAST_TYPE=INSTANCE", "HOLDFAST_VRID=0", "LANG=C.UTF-8", "PATH=" + program.Path,
		},
	}, {
		name:     "priority",
		event:    event.Event{Kind: event.KindPriority, Subject: "a", From: "150", To: "100", At: at, Instance: &event.Instance{State: "BACKUP", Priority: 100, Interface: "eth0"}},
		wantArgs: "[before][INSTANCE][a][PRIORITY][100]",
		wantEnv: []string{
			"HOLDFAST_ADDRESSES=", "HOLDFAST_DEVICE=eth0", "HOLDFAST_DIRECTOR=lvs1", "HOLDFAST_FAMILY=", "HOLDFAST_INTERFACE=eth0",
			"HOLDFAST_NAME=a", "HOLDFAST_OLD_PRIORITY=150", "HOLDFAST_OLD_STATE=BACKUP", "HOLDFAST_PRIORITY=100", "HOLDFAST_REASON=",
			"HOLDFAST_STATE=PRIORITY", "HOLDFAST_TIME=2026-03-01T12:00:00.000000005Z", "HOLDFAST_TYPE=INSTANCE", "HOLDFAST_VRID=0", "LANG=C.UTF-8", "PATH=" + program.Path,
		},
	}, {
		name:     "group",
		own:      true,
		event:    event.Event{Kind: event.KindGroup, Subject: "director", To: "FAULT", At: at, Group: &event.Group{}},
		wantArgs: "[before]",
		wantEnv: []string{
			"HOLDFAST_DIRECTOR=lvs1", "HOLDFAST_NAME=director", "HOLDFAST_OLD_STATE=", "HOLDFAST_PRIORITY=0", "HOLDFAST_REASON=", "HOLDFAST_STATE=FAULT",
			"HOLDFAST_TIME=2026-03-01T12:00:00.000000005Z", "HOLDFAST_TYPE=GROUP", "LANG=C.UTF-8", "PATH=" + program.Path,
		},
	}, {
		name: "server",
		event: event.Event{Kind: event.KindServer, Subject: "web/rs1", To: "DOWN", From: "UP", Reason: "connection refused", At: at,
			Service: &event.Service{Name: "web", Address: "10.0.0.100:80", Protocol: "tcp", Server: "rs1", ServerAddress: "192.168.0.11:80", Weight: 5, ServersUp: 1, ServersTotal: 2}},
		wantArgs: "[before][SERVER][web/rs1][DOWN][5]",
		wantEnv: []string{
			"HOLDFAST_DIRECTOR=lvs1", "HOLDFAST_MARK=0", "HOLDFAST_NAME=web/rs1", "HOLDFAST_OLD_STATE=UP", "HOLDFAST_PRIORITY=5", "HOLDFAST_PROTOCOL=tcp",
			"HOLDFAST_REASON=connection refused", "HOLDFAST_SERVER=rs1", "HOLDFAST_SERVERS_TOTAL=2", "HOLDFAST_SERVERS_UP=1", "HOLDFAST_SERVER_ADDRESS=192.168.0.11:80",
			"HOLDFAST_SERVICE=web", "HOLDFAST_SERVICE_ADDRESS=10.0.0.100:80", "HOLDFAST_STATE=DOWN", "HOLDFAST_TIME=2026-03-01T12:00:00.000000005Z",
			"HOLDFAST_TYPE=SERVER", "HOLDFAST_WEIGHT=5", "LANG=C.UTF-8", "PATH=" + program.Path,
		},
	}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			command := script(t, b.dir, "notify", `dir=${0%/*}; printf '[%s]' "$@" >"$dir/args"; tr '\0' '\n' </proc/$$/environ >"$dir/env"; pwd >"$dir/pwd"`)
			command.Argv = append(command.Argv, "before")
			command.OwnArguments = test.own
			if err := b.Send(test.event, command); err != nil {
				t.Fatal(err)
			}
			if r := b.result(t); r.Err != nil || r.ExitCode != 0 {
				t.Fatalf("result %+v, want success\n%s", r, b.log)
			}
			read := func(name string) string {
				text, err := os.ReadFile(filepath.Join(b.dir, name))
				if err != nil {
					t.Fatal(err)
				}
				return strings.TrimSuffix(string(text), "\n")
			}
			if got := read("args"); got != test.wantArgs {
				t.Errorf("arguments %s, want %s", got, test.wantArgs)
			}
			env := strings.Split(read("env"), "\n")
			slices.Sort(env)
			if diff := cmp.Diff(test.wantEnv, env); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
			if got := read("pwd"); got != "/" {
				t.Errorf("working directory %s, want /", got)
			}
		})
	}
}

func TestScriptsFor(t *testing.T) {
	named := func(name string) *Command { return &Command{Program: program.Program{Argv: []string{name}}} }
	scripts := Scripts{Master: named("master"), Fault: named("fault"), Stop: named("stop"), Up: named("up"), Down: named("down"), AfterUp: named("stop it"), AfterDown: named("start it"), Any: named("any"),
		Rival: named("rival"), Priority: named("priority"), Deleted: named("deleted")}
	for state, want := range map[string]string{
		event.Master: "master any", event.Backup: "any", event.Fault: "fault any", event.Stop: "stop any", event.Up: "up stop it any", event.Down: "down start it any",
		Rival: "rival", RivalGone: "rival", Priority: "priority", event.Deleted: "deleted",
	} {
		var got []string
		for _, c := range scripts.For(state) {
			got = append(got, c.Argv[0])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", state, got, want)
		}
	}
	if got := (&Scripts{}).For(event.Master); got != nil {
		t.Errorf("without scripts: %v, want none", got)
	}
}

// gated returns a command whose script reports "STATE name" on the gate begun
// and ends when the gate release is opened.
func gated(t *testing.T, dir string) (command Command, begun, release gate) {
	begun, release = newGate(t, dir, "begun"), newGate(t, dir, "release")
	return script(t, dir, "gated", fmt.Sprintf("echo $3 $2 >%s; read x <%s", begun, release)), begun, release
}

func TestEventsOfOneSubjectRunInOrderAndNeverTogether(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Backup, command)
	if got := begun.read(t); got != "BACKUP outside" {
		t.Fatalf("first %s", got)
	}
	b.send(t, event.Master, command)
	// Were both to run together, one release would go to either of them and
	// MASTER could begin before BACKUP has ended.
	release.open(t)
	if r := b.result(t); r.State != event.Backup {
		t.Fatalf("%s ended first, want BACKUP", r.State)
	}
	if got := begun.read(t); got != "MASTER outside" {
		t.Fatalf("second %s", got)
	}
	release.open(t)
	if r := b.result(t); r.State != event.Master {
		t.Fatalf("%s ended, want MASTER", r.State)
	}
	if strings.Contains(b.log.String(), "skipped") {
		t.Errorf("nothing was to be skipped:\n%s", b.log)
	}
}

func TestSlowScriptSkipsStatesThatAreOver(t *testing.T) {
	tests := []struct {
		name    string
		later   []string // sent while the script of the first, MASTER, runs
		want    string   // stateEvent after it; "" is nothing
		skipped []string
	}{
		{name: "the newest state wins", later: []string{event.Backup, event.Fault}, want: event.Fault, skipped: []string{event.Backup}},
		{name: "all but the newest are skipped", later: []string{event.Backup, event.Fault, event.Backup, event.Stop}, want: event.Stop, skipped: []string{event.Backup, event.Fault, event.Backup}},
		{name: "a state left and entered again is told again", later: []string{event.Backup, event.Master}, want: event.Master, skipped: []string{event.Backup}},
		{name: "the same state again is not", later: []string{event.Master, event.Master}, want: ""},
		{name: "nor when it waits already", later: []string{event.Backup, event.Backup}, want: event.Backup},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, nil)
			command, begun, release := gated(t, b.dir)
			b.send(t, event.Master, command)
			begun.read(t)
			for _, state := range test.later {
				b.send(t, state, command)
			}
			release.open(t)
			b.result(t)
			if test.want != "" {
				if got := begun.read(t); got != test.want+" outside" {
					t.Errorf("then %s, want %s", got, test.want)
				}
				release.open(t)
				b.result(t)
			}
			if err := b.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if len(b.results) != 0 {
				t.Errorf("one more script ran: %+v", <-b.results)
			}
			var skipped []string
			for line := range strings.Lines(b.log.String()) {
				if _, after, ok := strings.Cut(line, "skipped "); ok {
					state, _, _ := strings.Cut(after, `"`)
					skipped = append(skipped, state)
				}
			}
			if diff := cmp.Diff(test.skipped, skipped); diff != "" {
				t.Errorf("said to be skipped (-want +got):\n%s", diff)
			}
		})
	}
}

// A rival or a new priority must not suppress the call for a state, nor a state
// theirs. Scripts are called in the order of the events.
func TestMomentsTakeThePlaceOfTheirOwnKindOnly(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Backup, command)
	begun.read(t)
	for _, state := range []string{Priority, event.Master, Rival, Priority, RivalGone, Rival, Rival, event.Deleted} {
		b.send(t, state, command)
	}
	for _, want := range []string{event.Master, Priority, Rival, event.Deleted} {
		release.open(t)
		b.result(t)
		if got := begun.read(t); got != want+" outside" {
			t.Fatalf("then %s, want %s", got, want)
		}
	}
	release.open(t)
	b.result(t)
}

func TestRivalIsToldOnceUntilItIsGoneOrTheStateAnother(t *testing.T) {
	b := newBench(t, nil)
	command := script(t, b.dir, "true", "exit 0")
	for _, step := range []struct {
		state string
		told  bool
	}{{event.Master, true}, {Rival, true}, {Rival, false}, {RivalGone, true}, {Rival, true}, {event.Backup, true}, {event.Master, true}, {Rival, true}} {
		b.send(t, step.state, command)
		if step.told {
			if r := b.result(t); r.State != step.state {
				t.Fatalf("%s was told, want %s", r.State, step.state)
			}
		}
	}
	if err := b.Close(t.Context()); err != nil || len(b.results) > 0 {
		t.Errorf("close: %v; %d more were told", err, len(b.results))
	}
}

// Of several rivals, scripts are told of the first that comes and the last that goes.
func TestSeveralRivals(t *testing.T) {
	b := newBench(t, nil)
	command := script(t, b.dir, "true", "exit 0")
	b.send(t, event.Master, command)
	b.result(t)
	for _, step := range []struct {
		state, address string
		told           bool
	}{{Rival, "10.0.0.3", true}, {Rival, "10.0.0.4", false}, {RivalGone, "10.0.0.3", false}, {Rival, "10.0.0.4", false}, {RivalGone, "10.0.0.4", true}, {Rival, "10.0.0.4", true}} {
		e := stateEvent("a", step.state)
		e.Detail = map[string]string{"address": step.address}
		if err := b.Send(e, command); err != nil {
			t.Fatal(err)
		}
		if step.told {
			if r := b.result(t); r.State != step.state {
				t.Fatalf("%s was told, want %s of %s", r.State, step.state, step.address)
			}
		}
	}
	if err := b.Close(t.Context()); err != nil || len(b.results) > 0 {
		t.Errorf("close: %v; %d more were told", err, len(b.results))
	}
}

// Without a STOP script, the BACKUP script is called.
func TestStateWithoutScriptTakesNobodysPlace(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	b.send(t, event.Backup, command)
	b.send(t, event.Stop)
	release.open(t)
	if got := begun.read(t); got != "BACKUP outside" {
		t.Errorf("then %s, want BACKUP", got)
	}
	release.open(t)
}

// Leaving a state that has no script is still leaving it.
func TestStateIsToldAgainAfterOneWithoutScript(t *testing.T) {
	b := newBench(t, nil)
	command := script(t, b.dir, "true", "exit 0")
	for _, want := range []int{1, 2} {
		b.send(t, event.Master, command)
		if r := b.result(t); r.State != event.Master {
			t.Fatalf("run %d: %+v", want, r)
		}
		b.send(t, event.Fault)
	}
}

func TestAllCommandsOfAnEventRunInOrder(t *testing.T) {
	b := newBench(t, nil)
	first, second := script(t, b.dir, "first", "exit 3"), script(t, b.dir, "second", "exit 0")
	b.send(t, event.Master, first, second)
	if r := b.result(t); r.Command.Argv[0] != first.Argv[0] || r.ExitCode != 3 {
		t.Errorf("first result %+v", r)
	}
	if r := b.result(t); r.Command.Argv[0] != second.Argv[0] || r.Err != nil {
		t.Errorf("second result %+v: one failure must not stop the next", r)
	}
}

func TestSubjectsRunInParallelUpToTheBound(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Parallel = 2 })
	begun, release := map[string]gate{}, map[string]gate{}
	for _, name := range []string{"a", "b", "c"} {
		begun[name], release[name] = newGate(t, b.dir, "begun-"+name), newGate(t, b.dir, "release-"+name)
	}
	command := script(t, b.dir, "gated", `dir=${0%/*}; echo $3 >"$dir/begun-$2"; read x <"$dir/release-$2"`)
	for _, name := range []string{"a", "b"} {
		b.sendTo(t, name, event.Master, command)
		begun[name].read(t) // b begins while a runs
	}
	b.sendTo(t, "c", event.Master, command)
	b.mu.Lock()
	running, ready := b.running, len(b.ready)
	b.mu.Unlock()
	if running != 2 || ready != 1 {
		t.Errorf("%d running, %d waiting; want 2 and 1", running, ready)
	}
	release["b"].open(t)
	if r := b.result(t); r.Subject != "b" {
		t.Errorf("%s ended, want b", r.Subject)
	}
	begun["c"].read(t)
	release["a"].open(t)
	release["c"].open(t)
}

func TestSendNeverWaitsAndHoldsOneDeliveryPerSubject(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	for i := range 10_000 {
		b.send(t, []string{event.Backup, event.Master}[i%2], command)
	}
	b.mu.Lock()
	subjects, ready, pending := len(b.subjects), len(b.ready), b.subjects[subjectKey{Instance, "outside"}].pending
	b.mu.Unlock()
	if subjects != 1 || ready != 0 || len(pending) != 1 || pending[0].call.state != event.Master {
		t.Errorf("%d subjects, %d ready, pending %+v; want 1, 0 and MASTER", subjects, ready, pending)
	}
	release.open(t)
	begun.read(t)
	release.open(t)
}

func TestForget(t *testing.T) {
	b := newBench(t, nil)
	command, begun, release := gated(t, b.dir)
	b.send(t, event.Master, command)
	begun.read(t)
	b.Forget(Instance, "outside") // while its script runs
	b.Forget(Instance, "unknown")
	b.send(t, event.Master, command) // as if never heard of
	release.open(t)
	b.result(t)
	begun.read(t)
	release.open(t)
	b.result(t)
	b.Forget(Instance, "outside")
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(b.subjects) != 0 {
		t.Errorf("still remembered: %v", b.subjects)
	}
}

// A server without commands takes no memory: there may be ten thousand.
func TestServerWithoutCommands(t *testing.T) {
	n := newBench(t, nil)
	for _, state := range []string{event.Up, event.Down, event.Up} {
		if err := n.Send(event.Event{Kind: event.KindServer, Subject: "web/192.0.2.1:80", To: state, Service: &event.Service{}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(n.subjects) > 0 {
		t.Errorf("%d subjects are remembered", len(n.subjects))
	}
}
