package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// A vigil probes a thousand times a second in each direction whether a single packet is
// lost: to the VIP, to the DIP, and through the director that has them. It also
// watches for MAC changes.
//
// Tests that keep a vigil do not run in parallel, so that nothing else causes loss.
type vigil struct {
	load *traffic
	macs *watch
}

func keepVigil(t *testing.T, p *lab.Pair) *vigil {
	t.Helper()
	p.Router.Route("192.168.0.0/24", lab.VIP)
	v := &vigil{macs: watchMACs(p, false), load: &traffic{probes: map[string]*lab.Probe{
		"VIP":     p.Router.Probe(lab.VIP, time.Millisecond),
		"DIP":     p.Realservers[0].Probe(lab.DIP, time.Millisecond),
		"through": p.Realservers[1].Probe(lab.RouterIP, time.Millisecond),
	}}}
	v.flows(t)
	return v
}

// keepVigilOfBoth does so for both families.
func keepVigilOfBoth(t *testing.T, p *lab.Pair) *vigil {
	t.Helper()
	v := keepVigil(t, p)
	v.macs = watchMACs(p, true)
	p.Router.Route("2001:db8:b::/64", lab.VIP6)
	v.load.probes["VIP6"] = p.Router.Probe(lab.VIP6, time.Millisecond)
	v.load.probes["DIP6"] = p.Realservers[0].Probe(lab.DIP6, time.Millisecond)
	v.load.probes["through6"] = p.Realservers[1].Probe("2001:db8:a::1", time.Millisecond)
	v.flows(t)
	return v
}

// flows waits until answers come from everywhere.
func (v *vigil) flows(t *testing.T) {
	t.Helper()
	v.load.flows(t)
}

// end fails the test if anything was lost since the vigil began.
func (v *vigil) end(t *testing.T) {
	t.Helper()
	v.flows(t)
	for name, tally := range v.load.stop(t) {
		if tally.Lost > 0 {
			t.Errorf("%s: %d packets lost, in %d outages, the first at %s for %v",
				name, tally.Lost, len(tally.Outages), tally.Outages[0].From.Format("15:04:05.000"), tally.Outages[0].Duration())
		}
	}
	v.macs.check(t)
}

// mark is the end of the daemon's journal.
func mark(t *testing.T, d *lab.Daemon) uint64 { return events(t, d, 0).Last() }

func events(t *testing.T, d *lab.Daemon, since uint64) lab.Journal {
	t.Helper()
	j, err := d.Events(since)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// stayed fails the test if the daemon reports a transition since the mark.
func stayed(t *testing.T, who string, d *lab.Daemon, mark uint64) {
	t.Helper()
	if moved := events(t, d, mark).Transitions(); len(moved) > 0 {
		t.Errorf("%s changed its state:\n%v", who, moved)
	}
}

// refused runs a command that must end with status 1, and returns its error message.
func refused(t *testing.T, d *lab.Daemon, command string, args ...string) string {
	t.Helper()
	stdout, stderr, err := d.CLI(command, args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%s %v: %v, want exit status 1\n%s%s", command, args, err, stdout, stderr)
	}
	return stderr
}

func obeyed(t *testing.T, d *lab.Daemon, command string, args ...string) string {
	t.Helper()
	stdout, stderr, err := d.CLI(command, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", command, args, err, stdout, stderr)
	}
	return stdout
}

// adverts waits for so many further adverts of a director.
func adverts(t *testing.T, host *lab.Host, n int) {
	t.Helper()
	capture := host.Wires["eth0"].Capture()
	capture.Await(t, 20*time.Second, "adverts of "+host.Name, n, lab.Advertised(51))
	if err := capture.Stop(); err != nil {
		t.Errorf("capture: %v", err)
	}
}

// handover moves mastership to the other director and back without losing a packet.
// It does not come back by itself, although the first director has the higher priority
// and preempts.
func TestHandover(t *testing.T) {
	for _, c := range []struct {
		interval time.Duration
		few      int
	}{{fast, 3}, {10 * time.Millisecond, 3}} { // TestChangesLoseNothing has a second
		t.Run(c.interval.String(), func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := directors(t, p, lab.Director{Interval: c.interval})
			v := keepVigil(t, p)
			for range rounds(t, c.few) {
				for giver, taker := range []int{1, 0} {
					said := obeyed(t, daemons[giver], "handover", "director")
					if want := fmt.Sprintf(".0.%d (", taker+2); !strings.Contains(said, "director: MASTER is ") || !strings.Contains(said, want) {
						t.Errorf("handover says %q, want the address %s", said, want)
					}
					daemons[giver].AwaitState(t, "BACKUP")
					daemons[taker].AwaitState(t, "MASTER")
					// Long enough to preempt, if it were to.
					adverts(t, p.Directors[taker], 5)
					daemons[giver].AwaitState(t, "BACKUP")
				}
			}
			v.end(t)
			if complaint := refused(t, daemons[1], "handover"); !strings.Contains(complaint, "MASTER") {
				t.Errorf("a BACKUP says %q of a handover", complaint)
			}
		})
	}
}

// Without a director that could take over, handover fails and changes nothing.
func TestHandoverToNobody(t *testing.T) {
	p := lab.NewPair(t, 1)
	alone := directors(t, p, lab.Director{})[0]
	v := keepVigil(t, p)
	if complaint := refused(t, alone, "handover"); !strings.Contains(complaint, "no other director took over") {
		t.Errorf("handover says %q", complaint)
	}
	alone.AwaitState(t, "MASTER")
	if complaint := refused(t, alone, "handover", "outside"); !strings.Contains(complaint, "director") {
		t.Errorf("of a member the group is not named: %q", complaint)
	}
	v.end(t)
}

// installed starts the directors from binaries of their own.
func installed(t *testing.T, p *lab.Pair, interval time.Duration) []*lab.Daemon {
	t.Helper()
	return installedWith(t, p, interval, "")
}

// installedWith is installed with further keys of the table [director].
func installedWith(t *testing.T, p *lab.Pair, interval time.Duration, keys string) []*lab.Daemon {
	t.Helper()
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		d := host.NewDaemon(keys + lab.Director{Priority: priorities[i], Interval: interval}.TOML())
		d.Own()
		d.Restart()
		daemons = append(daemons, d)
		d.AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	return daemons
}

// runs reports whether the process runs the program in a file.
func runs(t *testing.T, d *lab.Daemon, path string) bool {
	t.Helper()
	running, err := os.Stat(fmt.Sprintf("/proc/%d/exe", d.Pid()))
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return os.SameFile(running, there)
}

// openFiles counts the files that a director has open. A directory of sysctls, which it
// opens as needed, counts only if it is open twice.
func openFiles(t *testing.T, d *lab.Daemon) int {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", d.Pid()))
	if err != nil || len(files) == 0 {
		t.Fatalf("open files of %s: %v", d.Name, err)
	}
	seen := map[string]bool{}
	files = slices.DeleteFunc(files, func(file string) bool {
		to, _ := os.Readlink(file) // it may be closed by now
		first := strings.HasPrefix(to, "/proc/sys/net/") && !seen[to]
		seen[to] = true
		return first
	})
	return len(files)
}

func scheduling(t *testing.T, d *lab.Daemon) []string {
	t.Helper()
	ways, err := d.Scheduling()
	if err != nil {
		t.Fatal(err)
	}
	return ways
}

// The binary of a running director is replaced, MASTER or BACKUP, and neither it nor
// the other director changes its state.
func TestUpgrade(t *testing.T) {
	for _, c := range []struct {
		name     string
		which    int
		interval time.Duration
		rounds   int
	}{{"MASTER", 0, fast, 3}, {"BACKUP", 1, fast, 2}, {"MASTER at 1s", 0, time.Second, 1}} {
		t.Run(c.name, func(t *testing.T) {
			p := lab.NewPair(t, 2)
			daemons := installed(t, p, c.interval)
			d, other := daemons[c.which], daemons[1-c.which]
			v := keepVigil(t, p)
			own, others := mark(t, d), mark(t, other)
			files, ways := openFiles(t, d), scheduling(t, d)
			for range c.rounds {
				d.Install(d.Binary())
				if runs(t, d, d.Binary()) {
					t.Fatal("the new binary runs before the upgrade: the test tests nothing")
				}
				if said := obeyed(t, d, "upgrade"); !strings.Contains(said, fmt.Sprintf("(pid %d)", d.Pid())) {
					t.Errorf("upgrade says %q, want pid %d", said, d.Pid())
				}
				if !d.Alive() || !runs(t, d, d.Binary()) {
					t.Error("the new binary does not run")
				}
				if now := scheduling(t, d); !slices.Equal(now, ways) {
					t.Errorf("threads are scheduled as %v, before the upgrade as %v", now, ways)
				}
				adverts(t, p.Directors[0], 4)
				stayed(t, "the upgraded director", d, own)
				stayed(t, "the other director", other, others)
			}
			daemons[0].AwaitState(t, "MASTER")
			daemons[1].AwaitState(t, "BACKUP")
			lab.Wait(t, 5*time.Second, fmt.Sprintf("no more open files than the %d before", files), func() (string, bool) {
				now := openFiles(t, d)
				return fmt.Sprint(now), now <= files
			})
			// An upgraded daemon can do whatever a started one can.
			obeyed(t, daemons[0], "handover")
			daemons[1].AwaitState(t, "MASTER")
			v.end(t)
		})
	}
}

// A binary that cannot take over is not run: one that the machine cannot execute, and
// one that refuses the configuration.
func TestUpgradeToBrokenBinary(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := installed(t, p, fast)
	d := daemons[0]
	v := keepVigil(t, p)
	own, others := mark(t, d), mark(t, daemons[1])
	good := filepath.Join(p.Dir(), "good")
	if err := os.Link(d.Binary(), good); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"no program":  "this is no program\n",
		"unwilling":   "#!/bin/sh\necho 'unknown key frobnicate' >&2\nexit 1\n",
		"no answer":   "#!/bin/sh\nkill -9 $$\n",
		"empty":       "",
		"cut in half": "\x7fELF\x02\x01\x01",
	} {
		d.Install(p.WriteFile("broken", content))
		if complaint := refused(t, d.As(good), "upgrade"); !strings.Contains(complaint, "nothing was changed") {
			t.Errorf("%s: upgrade says %q", name, complaint)
		}
	}
	adverts(t, p.Directors[0], 5)
	d.Install(good)
	if !runs(t, d, good) {
		t.Error("the running binary was replaced")
	}
	stayed(t, "the director", d, own)
	stayed(t, "the other director", daemons[1], others)
	obeyed(t, d, "upgrade")
	stayed(t, "the upgraded director", d, own)
	v.end(t)
}

// An administrator who renames the old binary, to keep it, and installs the new one
// gets the new one.
func TestUpgradeBesideRenamedBinary(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	d := installed(t, p, fast)[0]
	aside := d.Binary() + ".old"
	if err := os.Rename(d.Binary(), aside); err != nil {
		t.Fatal(err)
	}
	d.Install(aside)
	for range 2 { // the second upgrade runs in the binary of the first
		obeyed(t, d, "upgrade")
		if !runs(t, d, d.Binary()) {
			t.Fatal("the installed binary does not run")
		}
	}
}

// Several directors stop at the same time. As long as one remains, every address
// stays served.
func TestAllButOneStop(t *testing.T) {
	p := lab.NewPair(t, 3)
	daemons := directors(t, p, lab.Director{})
	v := keepVigil(t, p)
	for _, d := range daemons[:2] {
		d.Signal(unix.SIGTERM)
	}
	for _, d := range daemons[:2] {
		if status := d.Wait(20 * time.Second); status != 0 {
			t.Errorf("exit status %d", status)
		}
	}
	daemons[2].AwaitState(t, "MASTER")
	v.end(t)
}
