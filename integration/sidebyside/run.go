package sidebyside

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// RunAll runs the cases, some of them at once: each of them mostly waits.
func RunAll(t *testing.T, cases []Case, atOnce int) {
	var all sync.WaitGroup
	free := make(chan struct{}, atOnce)
	for _, c := range cases {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			t.Run(c.Name, func(t *testing.T) { Run(t, c) })
		})
	}
	all.Wait()
}

// a run is a case that runs.
type run struct {
	*testing.T
	Case
	theirs, ours *side
	daemon       *lab.Daemon
	log          string // of the conversion
	seen         map[int]bool
}

// Run compares the two with one configuration.
func Run(t *testing.T, c Case) {
	l := lab.New(t)
	r := &run{T: t, Case: c, theirs: newSide(t, l, c, "keepalived"), ours: newSide(t, l, c, "holdfast"), seen: map[int]bool{}}
	r.convert(l)
	args := []string{}
	if !r.balancer() {
		args = append(args, "--vrrp")
	}
	if c.ID != "" {
		args = append(args, "-i", c.ID)
	}
	r.theirs.process = r.theirs.KeepalivedWith(c.prepare(t, r.theirs.dir), args...)
	r.daemon.Restart()
	r.ours.process = r.daemon.Process
	r.awaitMasters()
	r.compare("while all is well", r.up)
	if len(c.Dead) > 0 {
		for _, s := range []*side{r.theirs, r.ours} {
			for _, server := range c.Dead {
				s.servers[server]()
			}
		}
		r.compare("while servers are dead", r.down)
		for _, s := range []*side{r.theirs, r.ours} {
			for _, server := range c.Dead {
				s.serve(t, server)
			}
		}
		r.compare("when they are back", r.up)
	}
	for _, s := range []*side{r.theirs, r.ours} {
		if status := s.process.Stop(); status != 0 {
			t.Errorf("%s: exit status %d", s.Name, status)
		}
	}
	r.compare("after the stop", func(traces) bool { return true })
	for i, d := range c.Differs {
		if !r.seen[i] && !d.Sometimes {
			t.Errorf("this difference was not seen: %+v", d)
		}
	}
}

func (r *run) balancer() bool { return len(r.Servers) > 0 }

// byHand is a command that the report has a person run.
var byHand = regexp.MustCompile(`run "ip ([^"]+)" now`)

// convert makes holdfast's configuration, and does what the report says.
func (r *run) convert(l *lab.Lab) {
	r.Helper()
	text := r.prepare(r.T, r.ours.dir)
	file := l.WriteFile("holdfast/keepalived.conf", text)
	out := filepath.Join(r.ours.dir, "holdfast.toml")
	r.daemon = r.ours.NewDaemon("")
	args := []string{"--from", "keepalived", "-o", out, file}
	if r.ID != "" {
		args = append([]string{"--director", r.ID}, args...)
	}
	_, report, _ := r.daemon.CLI("convert", args...)
	toml, err := os.ReadFile(out)
	if err != nil {
		r.Fatalf("convert: %v\n%s", err, report)
	}
	r.log = report + "\n" + string(toml)
	for _, command := range byHand.FindAllStringSubmatch(report, -1) {
		r.ours.Run("ip", strings.Fields(command[1])...)
	}
	r.daemon.ConfigureFile(out)
}

// awaitMasters waits until both have as many MASTERs as the case says.
func (r *run) awaitMasters() {
	r.Helper()
	if r.Masters == 0 {
		return
	}
	lab.Wait(r.T, 60*time.Second, fmt.Sprintf("%d MASTERs of keepalived", r.Masters), func() (string, bool) {
		n := strings.Count(r.theirs.process.LogText(), "Entering MASTER STATE")
		return fmt.Sprint(n), n >= r.Masters
	})
	r.daemon.Await(r.T, fmt.Sprintf("%d MASTERs of holdfast", r.Masters), func(s lab.Status) (string, bool) {
		n := 0
		for _, v := range s.VRRP {
			if v.State == "MASTER" && v.Holding {
				n++
			}
		}
		return fmt.Sprint(s.States()), n == r.Masters
	})
}

// up and down say whether keepalived has seen what the servers do.
func (r *run) up(v traces) bool {
	for _, address := range r.Gone {
		if !r.serves(v, address) {
			return false
		}
	}
	return true
}

func (r *run) down(v traces) bool {
	for _, address := range r.Gone {
		if r.serves(v, address) {
			return false
		}
	}
	return true
}

func (r *run) serves(v traces, address string) bool {
	return slices.ContainsFunc(v["ipvs"], func(line string) bool {
		return (strings.Contains(line, "-r "+address+":") || strings.Contains(line, "-r "+address+" ")) && !strings.HasSuffix(line, "-w 0")
	})
}

// compare waits until keepalived is in a condition and holdfast's traces are like its.
func (r *run) compare(when string, condition func(traces) bool) {
	r.Helper()
	limit := time.Now().Add(20 * time.Second)
	if r.balancer() {
		limit = limit.Add(40 * time.Second)
	}
	for {
		began := time.Now()
		diff := r.quick(condition)
		if len(diff) == 0 || began.After(limit) {
			theirs, ours := r.theirs.look(r.T, r.balancer()), r.ours.look(r.T, r.balancer())
			diff = append(diff, r.diff(theirs, ours)...)
			if len(diff) == 0 {
				return
			}
		}
		if began.After(limit) {
			if r.faltered(condition) {
				r.Logf("%s: keepalived did not get so far, or did not stay there; holdfast did", when)
				return
			}
			r.Fatalf("%s:\n%s\n%s", when, strings.Join(diff, "\n"), r.log)
		}
		time.Sleep(max(200*time.Millisecond, time.Since(began)))
	}
}

// faltered reports whether keepalived fails by itself to get into a condition, or to stay
// in it, in which holdfast is.
func (r *run) faltered(condition func(traces) bool) bool {
	return r.Falters != "" && strings.Contains(r.theirs.process.LogText(), r.Falters) && condition(traces{"ipvs": r.ours.table()})
}

// quick compares the tables of IPVS, which change last. The rest takes many programs.
func (r *run) quick(condition func(traces) bool) (diff []string) {
	if !r.balancer() {
		return nil
	}
	theirs, ours := traces{"ipvs": r.theirs.table()}, traces{"ipvs": r.ours.table()}
	if !condition(theirs) {
		return []string{fmt.Sprintf("keepalived is not so far: %v", theirs["ipvs"])}
	}
	return r.diff(theirs, ours)
}

// diff lists what only one of the two has, but for the differences that the case names.
func (r *run) diff(theirs, ours traces) (lines []string) {
	for _, kind := range slices.Sorted(maps.Keys(theirs)) {
		only := map[string]int{} // positive: keepalived's
		for _, line := range theirs[kind] {
			only[line]++
		}
		for _, line := range ours[kind] {
			only[line]--
		}
		for i, d := range r.Differs {
			if d.What != kind || d.Keepalived != "" && only[d.Keepalived] <= 0 || d.Holdfast != "" && only[d.Holdfast] >= 0 {
				continue
			}
			only[d.Keepalived]--
			only[d.Holdfast]++
			r.seen[i] = true
		}
		delete(only, "") // the side that has nothing
		for _, line := range slices.Sorted(maps.Keys(only)) {
			for range max(0, only[line]) {
				lines = append(lines, fmt.Sprintf("%s: - %s", kind, line))
			}
			for range max(0, -only[line]) {
				lines = append(lines, fmt.Sprintf("%s: + %s", kind, line))
			}
		}
	}
	return lines
}
