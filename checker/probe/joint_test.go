package probe

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A monitorStage runs a monitor that takes a second and names the hosts that failed.
type monitorStage struct {
	mu     sync.Mutex
	failed string
	status int
	begun  []time.Time
	argv   []string // of the latest run
}

func (m *monitorStage) Run(ctx context.Context, p Program) (Ended, error) {
	m.mu.Lock()
	m.begun, m.argv = append(m.begun, time.Now()), p.Argv
	ended := Ended{Status: m.status, Output: []byte(m.failed + "\n" + strings.ReplaceAll(m.failed, " ", ": bad\n") + ": bad\n")}
	m.mu.Unlock()
	select {
	case <-time.After(time.Second):
		return ended, nil
	case <-ctx.Done():
		return Ended{}, ctx.Err()
	}
}

// trio returns the probers of three servers that a monitor is asked for at once.
func trio(on Programs) (*Tools, []Prober) {
	tools := &Tools{Programs: on}
	s := defaultExternal
	s.Command, s.Style, s.Together = []string{"/lib/fping.monitor"}, StyleMon, true
	named := []Named{{"a", "192.0.2.1"}, {"b", "192.0.2.2"}, {"c", "192.0.2.3"}}
	var all []Prober
	for _, v := range named {
		to := Target{Address: netip.AddrPortFrom(netip.MustParseAddr(v.Address), 80), Timeout: 5 * time.Second, Interval: 10 * time.Second}
		all = append(all, tools.Prober(s.For(Subject{Service: "web", Server: v.Name}, named), to))
	}
	return tools, all
}

func texts(errs ...error) []string {
	all := make([]string, len(errs))
	for i, err := range errs {
		if err != nil {
			all[i] = err.Error()
		}
	}
	return all
}

// probeAll has all ask at once.
func probeAll(ctx context.Context, all []Prober) []string {
	errs := make([]error, len(all))
	var done sync.WaitGroup
	for i, p := range all {
		done.Go(func() { errs[i] = p.Probe(ctx) })
	}
	done.Wait()
	return texts(errs...)
}

// One run answers every server once, whether they ask at the same time or one after
// the other.
func TestTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &monitorStage{failed: "192.0.2.1 192.0.2.3", status: 1}
		_, all := trio(on)
		want := []string{"192.0.2.1: bad", "", "192.0.2.3: bad"}
		if diff := cmp.Diff(want, probeAll(t.Context(), all)); diff != "" {
			t.Errorf("at once (-want +got):\n%s", diff)
		}
		time.Sleep(10 * time.Second)
		on.failed, on.status = "192.0.2.2", 1
		var errs []error
		for _, p := range all {
			errs = append(errs, p.Probe(t.Context()))
			time.Sleep(2 * time.Second)
		}
		if diff := cmp.Diff([]string{"", "192.0.2.2: bad", ""}, texts(errs...)); diff != "" {
			t.Errorf("in turn (-want +got):\n%s", diff)
		}
		if len(on.begun) != 2 {
			t.Errorf("%d runs, want 2", len(on.begun))
		}
		on.failed, on.status = "usage: fping.monitor host", 1
		want = []string{"exit status 1: " + on.failed, "exit status 1: " + on.failed, "exit status 1: " + on.failed}
		if diff := cmp.Diff(want, probeAll(t.Context(), all)); diff != "" {
			t.Errorf("no host is named (-want +got):\n%s", diff)
		}
	})
}

// A run leaves out the servers that wait for something else.
func TestTogetherLeavesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &monitorStage{}
		_, all := trio(on)
		all[1].(Waiter).Wait(true)
		_ = all[0].Probe(t.Context())
		if got := strings.Join(on.argv, " "); got != "/lib/fping.monitor 192.0.2.1 192.0.2.3" {
			t.Errorf("run %s", got)
		}
		all[1].(Waiter).Wait(false)
		time.Sleep(10 * time.Second)
		_ = all[0].Probe(t.Context())
		if got := strings.Join(on.argv, " "); got != "/lib/fping.monitor 192.0.2.1 192.0.2.2 192.0.2.3" {
			t.Errorf("then %s", got)
		}
	})
}

// An answer that is older than the interval is not used: the checks may have rested
// meanwhile.
func TestTogetherStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &monitorStage{}
		_, all := trio(on)
		_ = all[0].Probe(t.Context())
		time.Sleep(time.Minute)
		on.failed, on.status = "192.0.2.2", 1
		if err := all[1].Probe(t.Context()); err == nil {
			t.Error("an answer of a minute ago counts")
		}
	})
}

// When the server whose attempt runs the monitor is removed, the others have it run
// again.
func TestTogetherLeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &monitorStage{failed: "192.0.2.2", status: 1}
		tools, all := trio(on)
		ctx, remove := context.WithCancel(t.Context())
		var done sync.WaitGroup
		done.Go(func() { _ = all[0].Probe(ctx) })
		synctest.Wait()
		var got []string
		done.Go(func() { got = probeAll(t.Context(), all[1:]) })
		synctest.Wait()
		remove()
		done.Wait()
		if diff := cmp.Diff([]string{"192.0.2.2: bad", ""}, got); diff != "" {
			t.Errorf("the others (-want +got):\n%s", diff)
		}
		if len(on.begun) != 2 {
			t.Errorf("%d runs, want 2", len(on.begun))
		}
		for _, p := range all {
			Discard(p)
		}
		if len(tools.joints.all) != 0 {
			t.Error("the program is remembered without any server")
		}
	})
}

// A monitor that takes too long fails all.
func TestTogetherTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := trio(&monitorStage{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		late := "timeout after 5s"
		if diff := cmp.Diff([]string{late, late, late}, probeAll(ctx, all)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A run that left a server out does not answer for it, neither when the server is asked
// again nor when somebody asks although it waits.
func TestTogetherDoesNotAnswerForWhatItLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		on := &monitorStage{failed: "192.0.2.2", status: 1}
		_, all := trio(on)
		for name, out := range map[string]bool{"again": false, "although it waits": true} {
			all[1].(Waiter).Wait(true)
			_ = all[0].Probe(t.Context())
			all[1].(Waiter).Wait(out)
			if err := all[1].Probe(t.Context()); err == nil {
				t.Errorf("%s: the server is well by a run that did not ask for it", name)
			}
			if got := strings.Join(on.argv, " "); got != "/lib/fping.monitor 192.0.2.1 192.0.2.2 192.0.2.3" {
				t.Errorf("%s: run %s", name, got)
			}
			time.Sleep(10 * time.Second)
		}
	})
}
