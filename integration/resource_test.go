package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// resourceAgents returns OCF_ROOT with the agents of Debian's resource-agents.
func resourceAgents(t *testing.T) string {
	t.Helper()
	for _, root := range []string{filepath.Join(tools.Cache(), "root/usr/lib/ocf"), "/usr/lib/ocf"} {
		if _, err := os.Stat(filepath.Join(root, "resource.d/heartbeat/Dummy")); err == nil {
			return root
		}
	}
	tools.Without(t, "netns", "there are no resource agents (run `make tools`)")
	return ""
}

// resourceScript notes what it was called with, and whether the VIP was there. The resource
// "alone" takes its time to stop, and notes if it is started while it runs on another
// director.
const resourceScript = `#!/bin/sh
vip=gone
if ip -o address show | grep -q ' 10.0.0.100/'; then vip=there; fi
echo "$HOLDFAST_RESOURCE $HOLDFAST_ACTION, VIP $vip" >>"$1"
case "$HOLDFAST_RESOURCE $HOLDFAST_ACTION" in
"alone start") mkdir "${1%/*/*}/alone" || echo "alone runs elsewhere" >>"$1";;
"alone stop") sleep 0.5; rmdir "${1%/*/*}/alone";;
esac
exit 0
`

// A resourceDirector is a director of the tests of resources.
type resourceDirector struct {
	*lab.Daemon
	log string // what resourceScript noted
	pid string // of the program of the agent "anything"
}

// startResources starts a director whose group has five resources: three programs, of
// which two run before the addresses and one of these on one director only, and two of real
// agents.
func startResources(t *testing.T, p *lab.Pair, number, priority int) *resourceDirector {
	t.Helper()
	root := resourceAgents(t)
	dir := filepath.Join(p.Dir(), fmt.Sprintf("resources%d", number))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &resourceDirector{log: filepath.Join(dir, "log"), pid: filepath.Join(dir, "pid")}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte(resourceScript), 0o755); err != nil {
		t.Fatal(err)
	}
	programs := func(name, more string) string {
		command := fmt.Sprintf("%q", script+" "+d.log)
		return fmt.Sprintf("[[group.resource]]\nname = %q\ntype = \"command\"\nstart = %s\nstop = %s\n%s\n", name, command, command, more)
	}
	agent := func(name, agent, params string) string {
		return fmt.Sprintf("[[group.resource]]\nname = %q\ntype = \"ocf\"\nagent = %q\nocf_root = %q\ninterval = \"200ms\"\nparams = { %s }\n",
			name, agent, root, params)
	}
	more := programs("late", "") + programs("early", "before = \"addresses\"") + programs("alone", "before = \"addresses\"\nexclusive = true") +
		agent("dummy", "heartbeat:Dummy", fmt.Sprintf("state = %q", filepath.Join(dir, "dummy"))) +
		agent("daemon", "heartbeat:anything", fmt.Sprintf("binfile = \"/bin/sleep\", cmdline_options = \"3600\", pidfile = %q", d.pid))
	config := lab.Director{Priority: priority, Interval: fast, Options: "preempt = false", More: more}
	d.Daemon = p.Directors[number].Holdfast(config.TOML())
	return d
}

// awaitResources waits until every resource is in a state.
func (d *resourceDirector) awaitResources(t *testing.T, state string) {
	t.Helper()
	lab.Wait(t, 30*time.Second, "every resource is "+state, func() (string, bool) {
		var s struct {
			Resources []struct{ Name, State, Action string }
		}
		if err := d.StatusInto(&s); err != nil {
			return err.Error(), false
		}
		all := len(s.Resources) == 5
		for _, r := range s.Resources {
			all = all && r.State == state && (r.Action == "" || r.Action == "status")
		}
		return fmt.Sprint(s), all
	})
}

// noted compares what the script noted since the last time.
func (d *resourceDirector) noted(t *testing.T, want ...string) {
	t.Helper()
	b, _ := os.ReadFile(d.log)
	if got := strings.TrimSpace(string(b)); got != strings.Join(want, "\n") {
		t.Errorf("the script noted\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	_ = os.Remove(d.log)
}

// sleeper is the number of the program that the agent "anything" runs.
func (d *resourceDirector) sleeper(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(d.pid)
	var pid int
	if _, scan := fmt.Sscan(string(b), &pid); err != nil || scan != nil || syscall.Kill(pid, 0) != nil {
		t.Fatalf("the program of the agent does not run: %q, %v", b, err)
	}
	return pid
}

var (
	resourcesStarted = []string{"early start, VIP gone", "alone start, VIP gone", "late start, VIP there"}
	resourcesStopped = []string{"late stop, VIP there", "alone stop, VIP there", "early stop, VIP gone"}
)

// Resources run where the group is MASTER, in their order around the addresses; one that
// dies is started again. A new binary leaves them alone, a crash too, and a handover
// stops them here before they start there: the exclusive one while the VIP is still here.
func TestResources(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	one := startResources(t, p, 0, 150)
	one.AwaitState(t, "MASTER")
	one.awaitResources(t, "started")
	one.noted(t, resourcesStarted...)

	first := one.sleeper(t)
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	lab.Wait(t, 20*time.Second, "the program runs again", func() (string, bool) {
		j, err := one.Events(0)
		text := fmt.Sprint(j.Of("resource"), err)
		return text, strings.Count(text, "resource daemon starting->started") == 2
	})
	one.awaitResources(t, "started")
	second := one.sleeper(t)
	if second == first {
		t.Error("the program was not killed")
	}

	obeyed(t, one.Daemon, "upgrade")
	lab.Wait(t, 20*time.Second, "the new binary answers", func() (string, bool) {
		j, err := one.Events(0)
		return fmt.Sprint(j, err), err == nil && len(j.Of("director")) == 1
	})
	one.awaitResources(t, "started")
	one.Crash()
	if one.sleeper(t) != second {
		t.Error("an upgrade or a crash ended the program")
	}
	one.Restart()
	one.AwaitState(t, "MASTER")
	one.awaitResources(t, "started")
	if one.sleeper(t) != second {
		t.Error("the program was started again after the crash")
	}
	one.noted(t)

	two := startResources(t, p, 1, 100)
	two.AwaitState(t, "BACKUP")
	two.awaitResources(t, "stopped")
	obeyed(t, one.Daemon, "handover")
	one.awaitResources(t, "stopped")
	two.AwaitState(t, "MASTER")
	two.awaitResources(t, "started")
	one.noted(t, resourcesStopped...)
	two.noted(t, resourcesStarted...)
	one.AwaitState(t, "BACKUP")
	if status := two.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	two.noted(t, resourcesStopped...)
	one.AwaitState(t, "MASTER")
	one.awaitResources(t, "started")
	one.noted(t, resourcesStarted...)
	one.Crash()
	obeyed(t, one.Daemon, "release")
	one.noted(t, "late stop, VIP gone", "alone stop, VIP gone", "early stop, VIP gone")
}
