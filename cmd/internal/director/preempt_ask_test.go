package director

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/conf"
	"holdfast/vrrp"
)

// An askStage is a preemption with a preempt_command that notes its runs and exits with a
// status that is in a file. Time is real, because programs are.
type askStage struct {
	*preemptStage
	runs, status string // paths
	held         bool   // a MASTER of a lower priority is heard
}

func newAskStage(t *testing.T, delay time.Duration) (*askStage, *conf.Config) {
	t.Helper()
	dir := t.TempDir()
	s := &askStage{runs: filepath.Join(dir, "runs"), status: filepath.Join(dir, "status")}
	script := filepath.Join(dir, "ask.sh")
	text := "#!/bin/sh\necho \"$HOLDFAST_DIRECTOR $HOLDFAST_GROUP\" >>" + s.runs + "\necho no way\nexit $(cat " + s.status + ")\n"
	for path, content := range map[string]string{script: text, s.status: "1"} {
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := &conf.Config{
		Director: conf.Director{Name: "lvs1"},
		VRRP:     []conf.Instance{{Config: vrrp.Config{Name: "outside", PreemptDelay: delay}}, {Config: vrrp.Config{Name: "other"}}},
		Groups:   []conf.Group{{Name: "director", Members: []string{"outside"}, PreemptCommand: conf.Command{Argv: []string{script}}}},
	}
	s.preemptStage = newPreemptStage(t, c, nil)
	s.stillHeld = func(string) bool { return s.held }
	return s, c
}

// until works the mail until cond is true.
func (s *askStage) until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	late := time.After(30 * time.Second)
	for !cond() {
		select {
		case <-s.mail.signal:
		case <-late:
			t.Fatalf("not within 30s: %s", what)
		}
		for _, f := range s.mail.take() {
			f()
		}
	}
}

func (s *askStage) ran() string {
	text, _ := os.ReadFile(s.runs)
	return strings.TrimSpace(string(text))
}

// A unit with a preempt_command never preempts. Its program runs once the unit would, and
// again later if that did not help.
func TestPreemptCommand(t *testing.T) {
	s, c := newAskStage(t, 200*time.Millisecond)
	s.left = 2
	c.LVS.PreemptWait = time.Minute
	s.apply(c)
	const waits = "waiting for the first verdicts on 2 servers"
	s.want(t, "without verdicts", waits, waits)
	s.held = true
	begun := time.Now()
	s.heldBack("outside")
	s.heldBack("other") // it has no program
	s.left = 0
	s.until(t, "the program has run and failed", func() bool { return strings.Contains(s.preemptStage.held["outside"], "failed") })
	s.want(t, "after a failure", "its preempt_command failed, and is run again every 30s: exit status 1: no way", "")
	if got := s.ran(); got != "lvs1 director" {
		t.Errorf("the program noted %q", got)
	}
	if took := time.Since(begun); took < 200*time.Millisecond {
		t.Errorf("it ran after %v, before preempt_delay", took)
	}

	a := s.asks["outside"]
	s.apply(c) // a reload that changes nothing
	if s.asks["outside"] != a || !a.pending {
		t.Error("a reload forgets what was asked")
	}
	if err := os.WriteFile(s.status, []byte("0"), 0o644); err != nil {
		t.Fatal(err)
	}
	a.at = time.Now() // 30 s later
	s.look()
	s.until(t, "the program has succeeded", func() bool { return !a.running })
	s.want(t, "after a success", "its preempt_command has the MASTER hand over", "")
	s.held = false // this director is MASTER
	a.at = time.Now()
	s.look()
	if got := strings.Count(s.ran(), "\n") + 1; got != 2 || a.pending {
		t.Errorf("%d runs, pending %v", got, a.pending)
	}
}

// A program that hangs is killed.
func TestPreemptCommandHangs(t *testing.T) {
	s, c := newAskStage(t, 0)
	c.Groups[0].PreemptCommand = conf.Command{Argv: []string{"/bin/sleep", "3600"}, Timeout: 50 * time.Millisecond}
	s.apply(c)
	s.held = true
	s.heldBack("outside")
	s.until(t, "the program was killed", func() bool { return s.asks["outside"].problem != "" })
	if got := s.asks["outside"].problem; got != "timed out after 50ms" {
		t.Errorf("problem %q", got)
	}
}

// An upgrade leaves the program running. The new binary does not start it a second time
// before it must have ended.
func TestPreemptCommandAcrossUpgrade(t *testing.T) {
	s, c := newAskStage(t, 0)
	c.Groups[0].PreemptCommand = conf.Command{Argv: []string{"/bin/sleep", "3600"}, Timeout: 500 * time.Millisecond}
	s.apply(c)
	s.held = true
	begun := time.Now()
	s.heldBack("outside")
	var saved upgradeState
	s.save(&saved)
	s.close()

	next, c := newAskStage(t, 0)
	next.restore(&saved)
	next.apply(c)
	next.held = true
	next.heldBack("outside")
	next.until(t, "the program has run", func() bool { return next.asks["outside"].problem != "" })
	if took := time.Since(begun); took < 500*time.Millisecond {
		t.Errorf("it ran %v after the former binary had started it", took)
	}
	var later upgradeState
	if next.save(&later); len(later.PreemptAsked) != 0 {
		t.Errorf("saved as running, and none is: %v", later.PreemptAsked)
	}
}

// A reload that changes the program ends it, and runs the new one: that a MASTER is heard
// which is not preempted is not reported again.
func TestPreemptCommandChanges(t *testing.T) {
	s, c := newAskStage(t, 0)
	good := c.Groups[0].PreemptCommand
	c.Groups[0].PreemptCommand = conf.Command{Argv: []string{"/bin/sleep", "3600"}}
	s.apply(c)
	s.held = true
	s.heldBack("outside")
	former := s.asks["outside"]
	if !former.running {
		t.Fatal("the program does not run")
	}
	changed := *c
	changed.Groups = []conf.Group{c.Groups[0]}
	changed.Groups[0].PreemptCommand = good
	s.apply(&changed)
	s.until(t, "the former program was ended", func() bool { return !former.running })
	s.until(t, "the new one has failed", func() bool { return s.asks["outside"].problem != "" })
	if got := s.ran(); got != "lvs1 director" || former.problem != "" {
		t.Errorf("the program noted %q; the former one %q", got, former.problem)
	}
}

// A program that anybody could have changed is not run.
func TestPreemptCommandUnsafe(t *testing.T) {
	s, c := newAskStage(t, 0)
	if err := os.Chmod(c.Groups[0].PreemptCommand.Argv[0], 0o777); err != nil {
		t.Fatal(err)
	}
	s.apply(c)
	s.held = true
	s.heldBack("outside")
	s.until(t, "the program was refused", func() bool { return s.asks["outside"].problem != "" })
	if got := s.asks["outside"].problem; !strings.Contains(got, "is writable by everybody") || s.ran() != "" {
		t.Errorf("problem %q, ran %q", got, s.ran())
	}
}
