package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// A renamed interface still carries frames. The MASTER sends priority 0 through it
// and serves until its successor is heard, and the fault says the new name. When the
// old name is back, the fault is gone.
func TestInterfaceRenamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, options string }{
		{"on a macvlan", ""},
		{"on the interface", "mac = \"interface\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := directors(t, p, lab.Director{Options: c.options})
			probes := map[string]*lab.Probe{
				"VIP": p.Router.Probe(lab.VIP, time.Millisecond),
				"DIP": p.Realservers[0].Probe(lab.DIP, time.Millisecond),
			}
			for _, probe := range probes {
				probe.AwaitAnswers(t, 20*time.Second, 20)
			}
			own, others := mark(t, daemons[0]), mark(t, daemons[1])
			capture := p.Directors[1].Wires["eth0"].Capture()
			if out, err := p.Directors[0].Try("ip", "link", "set", "eth0", "name", "wan0"); err != nil {
				tools.Without(t, "netns", "this kernel renames no interface that is up: "+out)
			}
			daemons[1].AwaitState(t, "MASTER")
			capture.Await(t, 5*time.Second, "the farewell", 1, func(f lab.Frame) bool {
				a, ok := f.Advert()
				return ok && !f.FromHost && a.VRID == 51 && a.Priority == 0
			})
			if moved := events(t, daemons[1], others).Transitions(); !strings.Contains(fmt.Sprint(moved), "10.0.0.2 gave up (priority 0)") {
				t.Errorf("the other director took over for another reason:\n%v", moved)
			}
			lab.Wait(t, 5*time.Second, "a fault that tells the new name", func() (string, bool) {
				out, _, _ := daemons[0].CLI("status")
				return out, strings.Contains(out, "FAULT") && strings.Contains(out, "interface eth0 does not exist; it is called wan0 now")
			})
			lab.Wait(t, repaired, "nothing of the addresses stays behind", func() (string, bool) {
				out := p.Directors[0].Run("ip", "addr")
				return out, !strings.Contains(out, lab.VIP+"/") && !strings.Contains(out, lab.DIP+"/")
			})
			for _, probe := range probes {
				probe.AwaitAnswers(t, 20*time.Second, 20)
			}
			p.Directors[0].Run("ip", "link", "set", "wan0", "name", "eth0")
			daemons[0].AwaitState(t, "MASTER")
			daemons[1].AwaitState(t, "BACKUP")
			for name, probe := range probes {
				probe.AwaitAnswers(t, 20*time.Second, 20)
				tally := probe.Stop()
				t.Logf("%s: %v", name, tally)
				if worst := tally.Worst().Duration(); worst > 2*fast {
					t.Errorf("%s was away for %v", name, worst)
				}
			}
			if n := len(events(t, daemons[0], own).Of("instance")); n != 6 {
				t.Errorf("each of two virtual routers is to be in FAULT, BACKUP and MASTER once:\n%v", events(t, daemons[0], own).Transitions())
			}
		})
	}
}

// An interface that is down while it is renamed cannot carry priority 0. The fault
// says its new name all the same.
func TestInterfaceRenamedWhileDown(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{})
	rename := func(from, to string) {
		for _, args := range [][]string{{from, "down"}, {from, "name", to}, {to, "up"}} {
			p.Directors[0].Run("ip", append([]string{"link", "set"}, args...)...)
		}
	}
	rename("eth0", "wan0")
	daemons[1].AwaitState(t, "MASTER")
	lab.Wait(t, 5*time.Second, "a fault that tells the new name", func() (string, bool) {
		out, _, _ := daemons[0].CLI("status")
		return out, strings.Contains(out, "FAULT") && strings.Contains(out, "interface eth0 does not exist; it is called wan0 now")
	})
	obeyed(t, daemons[0], "upgrade")
	daemons[0].AwaitState(t, "FAULT")
	rename("wan0", "eth0")
	daemons[0].AwaitState(t, "MASTER")
	daemons[1].AwaitState(t, "BACKUP")
}
