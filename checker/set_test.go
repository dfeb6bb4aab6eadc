package checker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A world is where the checks of a test happen: it answers every probe and
// notes when each began and what was reported, in time since the start.
type world struct {
	start time.Time
	set   *Set

	mu      sync.Mutex
	answer  func(attempt) (took time.Duration, err error)
	begun   []attempt
	running map[netip.AddrPort]int
	most    int // attempts at once
	changes []string
	stopped int // attempts whose context ended
}

// An attempt is one probe, the n-th (from 0) of an address.
type attempt struct {
	To string // the last byte of the address
	At time.Duration
	n  int
}

// newWorld makes the world of a synctest bubble. Its set ends with the test.
func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{start: time.Now(), running: make(map[netip.AddrPort]int)}
	o.NewProber = w.prober
	if o.OnChange == nil {
		o.OnChange = w.note
	}
	if o.Rand == nil {
		o.Rand = func() float64 { return 0 }
	}
	w.set = New(o)
	t.Cleanup(w.set.Close)
	return w
}

func (w *world) prober(c Config) Prober {
	n := 0
	return ProberFunc(func(ctx context.Context) error {
		w.mu.Lock()
		a := attempt{To: lastByte(c.Address), At: time.Since(w.start), n: n}
		n++
		w.begun = append(w.begun, a)
		w.running[c.Address]++
		if w.running[c.Address] > 1 {
			panic("two attempts at once at " + c.Address.String())
		}
		all := 0
		for _, k := range w.running {
			all += k
		}
		w.most = max(w.most, all)
		answer := w.answer
		w.mu.Unlock()
		defer func() {
			w.mu.Lock()
			w.running[c.Address]--
			w.mu.Unlock()
		}()
		if answer == nil {
			return nil
		}
		took, err := answer(a)
		select {
		case <-time.After(took):
			return err
		case <-ctx.Done():
			w.mu.Lock()
			w.stopped++
			w.mu.Unlock()
			return fmt.Errorf("connect: %w", ctx.Err())
		}
	})
}

func (w *world) note(c Change) {
	w.mu.Lock()
	defer w.mu.Unlock()
	word := "down"
	if c.Up {
		word = "up"
	}
	if c.First {
		word += " first"
	}
	w.changes = append(w.changes, fmt.Sprintf("%v %s %s: %s", c.At.Sub(w.start), c.ID, word, c.Reason))
}

func (w *world) answers(f func(attempt) (time.Duration, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer = f
}

// took returns the attempts and changes since it was last called.
func (w *world) took() (attempts, changes []string) {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.begun {
		attempts = append(attempts, fmt.Sprintf("%s %v", a.To, a.At))
	}
	changes = w.changes
	w.begun, w.changes = nil, nil
	return attempts, changes
}

func (w *world) wantAttempts(t *testing.T, want ...string) {
	t.Helper()
	attempts, _ := w.took()
	if diff := cmp.Diff(want, attempts, cmpopts.EquateEmpty(), byValue); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}
}

func (w *world) wantChanges(t *testing.T, want ...string) {
	t.Helper()
	_, changes := w.took()
	if diff := cmp.Diff(want, changes, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func (w *world) apply(t *testing.T, configs ...Config) {
	t.Helper()
	if err := w.set.Apply(configs); err != nil {
		t.Fatal(err)
	}
}

func (w *world) status(t *testing.T, id string) Status {
	t.Helper()
	for _, st := range w.set.Status() {
		if st.ID == id {
			return st
		}
	}
	t.Fatalf("no status of %s", id)
	return Status{}
}

func lastByte(a netip.AddrPort) string {
	s := a.Addr().String()
	return s[strings.LastIndexByte(s, '.')+1:]
}

// second returns the check of the server with this last byte, each second.
func second(id string, last byte) Config {
	c := Default(TCP)
	c.ID = id
	c.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, last}), 80)
	c.Interval, c.Timeout = time.Second, 500*time.Millisecond
	return c
}

var errRefused = errors.New("connect: connection refused")

func always(err error) func(attempt) (time.Duration, error) {
	return func(attempt) (time.Duration, error) { return 0, err }
}

func numbers(list ...float64) func() float64 {
	return func() float64 {
		n := list[0]
		list = list[1:]
		return n
	}
}

func TestBeatsDoNotDrift(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.25, 0)})
		w.set.epoch = w.set.epoch.Add(-3 * time.Millisecond) // beats fall on its grid
		w.answers(func(a attempt) (time.Duration, error) {
			return time.Duration(a.n) * 77 * time.Millisecond, nil
		})
		w.apply(t, second("a", 1))
		time.Sleep(4500 * time.Millisecond)
		w.wantAttempts(t, "1 257ms", "1 1.257s", "1 2.257s", "1 3.257s", "1 4.257s")
	})
}

// TestFirstAttemptsAreSpread: all servers are asked within a second, and then
// their beats lie anywhere in the interval.
func TestFirstAttemptsAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0, 0, 0.5, 0.5, 0.999, 0.999)})
		configs := []Config{second("a", 1), second("b", 2), second("c", 3)}
		for i := range configs {
			configs[i].Interval = 11 * time.Second
		}
		w.apply(t, configs...)
		time.Sleep(23 * time.Second)
		w.wantAttempts(t, "1 0s", "2 500ms", "3 1s",
			"1 1s", "2 6.5s", "3 11.99s",
			"1 12s", "2 17.5s", "3 22.99s", "1 23s")
	})
}

func TestShortIntervalBoundsTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.5, 0.9)})
		c := second("a", 1)
		c.Interval = 200 * time.Millisecond
		w.apply(t, c)
		time.Sleep(500 * time.Millisecond)
		w.wantAttempts(t, "1 100ms", "1 300ms", "1 500ms")
	})
}

// TestOverrun: an attempt that outlasts its interval never meets the next one.
// One overrun beat follows at once, others are left out.
func TestOverrun(t *testing.T) {
	tests := []struct {
		first time.Duration // how long the first attempt takes
		want  []string
	}{
		{1300 * time.Millisecond, []string{"1 0s", "1 1.3s", "1 2s", "1 3s", "1 4s"}},
		{2 * time.Second, []string{"1 0s", "1 2s", "1 3s", "1 4s"}},
		{2300 * time.Millisecond, []string{"1 0s", "1 2.3s", "1 3s", "1 4s"}},
	}
	for _, tt := range tests {
		t.Run(tt.first.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				w.answers(func(a attempt) (time.Duration, error) {
					if a.n == 0 {
						return tt.first, nil
					}
					return 100 * time.Millisecond, nil
				})
				c := second("a", 1)
				c.Timeout = 5 * time.Second
				w.apply(t, c)
				time.Sleep(4500 * time.Millisecond)
				w.wantAttempts(t, tt.want...)
				st := w.status(t, "a")
				if st.Counts.Overruns != 1 {
					t.Errorf("%d overruns, want 1", st.Counts.Overruns)
				}
				if st.MaxLate != 0 {
					t.Errorf("late by %v: the server's slowness is not the schedule's", st.MaxLate)
				}
			})
		})
	}
}

// TestHungServerIsAskedEachBeat: with a timeout as long as the interval, an
// attempt ends exactly when the next one is due.
func TestHungServerIsAskedEachBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		c := second("a", 1)
		c.Timeout = time.Second
		w.apply(t, c)
		time.Sleep(3500 * time.Millisecond)
		w.wantAttempts(t, "1 0s", "1 1s", "1 2s", "1 3s")
	})
}

func TestRetryInterval(t *testing.T) {
	tests := []struct {
		name    string
		results string
		want    []string
		changes []string
	}{
		{
			"a failing server is asked faster until it is down", "+----++",
			[]string{"1 0s", "1 1s", "1 1.1s", "1 1.2s", "1 2.2s", "1 3.2s", "1 3.3s"},
			[]string{"0s a up first: answered", "1.2s a down: connect: connection refused", "3.3s a up: answered 2 times in a row"},
		},
		{
			"one bad check among good ones", "+-+++",
			[]string{"1 0s", "1 1s", "1 1.1s", "1 2.1s", "1 3.1s"},
			[]string{"0s a up first: answered"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				w.answers(func(a attempt) (time.Duration, error) {
					if a.n < len(tt.results) && tt.results[a.n] == '-' {
						return 0, errRefused
					}
					return 0, nil
				})
				c := second("a", 1)
				c.Fall, c.Rise, c.RetryInterval = 3, 2, 100*time.Millisecond
				c.InitiallyUp = true
				w.apply(t, c)
				time.Sleep(3900 * time.Millisecond)
				attempts, changes := w.took()
				if diff := cmp.Diff(tt.want, attempts); diff != "" {
					t.Errorf("attempts (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(tt.changes, changes); diff != "" {
					t.Errorf("changes (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestIdenticalQuestionsAreAskedOnce also shows that each subject makes its own
// verdict of the answers.
func TestIdenticalQuestionsAreAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		hasty, patient := second("hasty", 1), second("patient", 1)
		hasty.Fall, patient.Fall = 1, 3
		w.apply(t, hasty, patient, second("other", 2))
		time.Sleep(500 * time.Millisecond)
		w.took()
		w.answers(always(errRefused))
		time.Sleep(3 * time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 1s", "2 1s", "1 2s", "2 2s", "1 3s", "2 3s"}, attempts, byValue); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{
			"1s hasty down: connect: connection refused",
			"2s other down: connect: connection refused",
			"3s patient down: connect: connection refused",
		}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if st := w.status(t, "hasty"); st.Shared != 2 {
			t.Errorf("shared by %d, want 2", st.Shared)
		}
	})
}

var (
	byValue   = cmpopts.SortSlices(func(a, b string) bool { return a < b })
	addresses = cmpopts.EquateComparable(netip.AddrPort{})
)

func TestInitiallyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.To == "1" {
				return 0, nil
			}
			return 0, errRefused
		})
		well, dead, fresh := second("well", 1), second("dead", 2), second("new", 3)
		well.InitiallyUp, dead.InitiallyUp = true, true
		well.Rise = 5
		w.apply(t, well, dead, fresh)
		if st := w.status(t, "dead"); !st.Up || st.State != Unknown {
			t.Errorf("before its first check: up %v, state %s", st.Up, st.State)
		}
		if st := w.status(t, "new"); st.Up || st.State != Unknown {
			t.Errorf("before its first check: up %v, state %s", st.Up, st.State)
		}
		time.Sleep(1500 * time.Millisecond)
		_, changes := w.took()
		if diff := cmp.Diff([]string{
			"0s well up first: answered",
			"0s new down first: connect: connection refused",
			"1s dead down first: connect: connection refused",
		}, changes, byValue); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestNoneIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(always(errRefused))
		none := Config{ID: "none", Kind: None}
		w.apply(t, none, second("a", 1))
		w.wantChanges(t, "0s none up first: not checked", "0s a down first: connect: connection refused")
		// A check that is taken away brings its server up.
		w.apply(t, none, Config{ID: "a", Kind: None})
		time.Sleep(3 * time.Second)
		w.wantChanges(t, "0s a up: not checked")
		moved := Config{ID: "a", Kind: None, Address: second("a", 2).Address}
		w.apply(t, none, moved)
		w.wantChanges(t)
		w.apply(t, none, second("a", 1))
		time.Sleep(3 * time.Second)
		w.wantChanges(t, "4s a down: connect: connection refused")
	})
}

func TestApplyKeepsWhatDidNotChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.3, 0, 0.5, 0, 0.2, 0)})
		w.apply(t, second("stays", 1), second("goes", 2))
		time.Sleep(1600 * time.Millisecond)
		w.took()
		before := w.status(t, "stays")

		w.apply(t, second("stays", 1), second("comes", 3))
		if diff := cmp.Diff(before, w.status(t, "stays"), addresses); diff != "" {
			t.Errorf("status (-before +after):\n%s", diff)
		}
		time.Sleep(time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"3 1.8s", "1 2.3s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"1.8s comes up first: answered"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestApplyKeepsTheVerdictOfAChangedCheck: a reload with another path must not
// take a server out that is well.
func TestApplyKeepsTheVerdictOfAChangedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(500 * time.Millisecond)
		w.took()

		w.answers(always(errRefused))
		changed := second("a", 1)
		changed.Timeout, changed.Fall = 400*time.Millisecond, 2
		w.apply(t, changed)
		if st := w.status(t, "a"); st.State != Up {
			t.Errorf("state %s, want up", st.State)
		}
		time.Sleep(time.Second)
		w.wantChanges(t, "1.5s a down: connect: connection refused")
	})
}

// TestChangedThresholdsNeedNoNewQuestion: rise and fall take effect on the
// question that is being asked.
func TestChangedThresholdsNeedNoNewQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(500 * time.Millisecond)
		w.answers(always(errRefused))
		changed := second("a", 1)
		changed.Fall = 1
		w.apply(t, changed)
		time.Sleep(time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 0s", "1 1s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"0s a up first: answered", "1s a down: connect: connection refused"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestNewSubjectAdoptsWhatIsKnown: a new service in front of a server that is
// checked already, and a service with a new name, need not wait for a beat.
func TestNewSubjectAdoptsWhatIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		time.Sleep(1500 * time.Millisecond)
		w.took()
		strict := second("strict", 1)
		strict.Rise = 3
		w.apply(t, second("renamed", 1), strict)
		w.wantChanges(t, "1s renamed up first: answered 2 times in a row")
		time.Sleep(time.Second)
		w.wantChanges(t, "2s strict up first: answered 3 times in a row")
	})
}

func TestApplyRefusesAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.apply(t, second("a", 1))
		bad := second("b", 2)
		bad.Rise = 0
		err := w.set.Apply([]Config{bad, second("c", 3), second("c", 4)})
		want := "check \"b\": rise: must be at least 1, not 0\ncheck \"c\": id: is given twice"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if all := w.set.Status(); len(all) != 1 || all[0].ID != "a" {
			t.Errorf("checks after the refusal: %v", all)
		}
	})
}

func TestRemovalStopsTheAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1))
		time.Sleep(100 * time.Millisecond)
		w.apply(t)
		synctest.Wait()
		if w.stopped != 1 {
			t.Errorf("%d attempts stopped at once, want 1", w.stopped)
		}
		time.Sleep(5 * time.Second)
		w.wantAttempts(t, "1 0s")
		w.wantChanges(t)
	})
}

// TestCloseEndsEverything: the bubble itself fails if a goroutine is left.
func TestCloseEndsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1), second("b", 2))
		synctest.Wait()
		forced := make(chan error)
		go func() {
			_, err := w.set.Force(t.Context(), "a")
			forced <- err
		}()
		synctest.Wait()
		w.set.Close()
		if since := time.Since(w.start); since != 0 {
			t.Errorf("Close took %v", since)
		}
		if err := <-forced; !errors.Is(err, ErrClosed) {
			t.Errorf("Force: %v, want ErrClosed", err)
		}
		if err := w.set.Apply(nil); !errors.Is(err, ErrClosed) {
			t.Errorf("Apply after Close: %v", err)
		}
		time.Sleep(time.Minute)
		w.wantAttempts(t, "1 0s", "2 0s")
		w.wantChanges(t)
	})
}

func TestLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Limit: 2})
		w.answers(func(attempt) (time.Duration, error) { return 100 * time.Millisecond, nil })
		var configs []Config
		for i := range byte(6) {
			configs = append(configs, second(fmt.Sprint(i), i))
		}
		w.apply(t, configs...)
		time.Sleep(900 * time.Millisecond)
		attempts, _ := w.took()
		var at []string
		for _, a := range attempts {
			at = append(at, a[2:])
		}
		if diff := cmp.Diff([]string{"0s", "0s", "100ms", "100ms", "200ms", "200ms"}, at); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if w.most != 2 {
			t.Errorf("%d attempts at once, want 2", w.most)
		}
		var late time.Duration
		for _, st := range w.set.Status() {
			late = max(late, st.MaxLate)
		}
		if late != 200*time.Millisecond {
			t.Errorf("at most %v late, want 200ms", late)
		}
	})
}

// TestRemovalMakesRoom: an attempt that nobody needs any more gives its place
// to one that waits.
func TestRemovalMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Limit: 1, Rand: numbers(0, 0, 0.1, 0)})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1), second("b", 2))
		time.Sleep(200 * time.Millisecond)
		w.wantAttempts(t, "1 0s")
		w.apply(t, second("b", 2))
		w.wantAttempts(t, "2 200ms")
	})
}

func TestPanicIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { panic("broken") })
		w.apply(t, second("a", 1))
		w.wantChanges(t, "0s a down first: the probe panicked: broken")
		w.answers(always(nil))
		time.Sleep(time.Second)
		w.wantChanges(t, "1s a up: answered")
	})
}

// TestWantHereIsNoVerdict: when this process runs out of file descriptors, all
// servers would fail at once.
func TestWantHereIsNoVerdict(t *testing.T) {
	tests := []struct {
		errno  syscall.Errno
		source string
		want   []string
	}{
		{syscall.EMFILE, "", nil},
		{syscall.ENFILE, "", nil},
		{syscall.ENOBUFS, "", nil},
		{syscall.ENOMEM, "", nil},
		{syscall.EPERM, "", nil},
		{syscall.EADDRNOTAVAIL, "", nil},
		{syscall.EADDRNOTAVAIL, "192.0.2.100", []string{"2s a down: connect: cannot assign requested address"}},
		{syscall.EHOSTUNREACH, "", []string{"2s a down: connect: no route to host"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v %s", tt.errno, tt.source), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, Options{})
				c := second("a", 1)
				if tt.source != "" {
					c.Dial.Source = netip.MustParseAddr(tt.source)
				}
				w.apply(t, c)
				time.Sleep(500 * time.Millisecond)
				w.took()
				w.answers(always(&stepError{"connect", tt.errno.Error(), tt.errno}))
				time.Sleep(4 * time.Second)
				w.wantChanges(t, tt.want...)
				if got := w.status(t, "a").Counts; (got.Inconclusive == 4) != (tt.want == nil) {
					t.Errorf("counts %+v", got)
				}
			})
		})
	}
}

// TestInconclusiveIsRetried at the retry interval: nothing is known meanwhile.
func TestInconclusiveIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(always(syscall.EMFILE))
		c := second("a", 1)
		c.RetryInterval = 400 * time.Millisecond
		w.apply(t, c)
		time.Sleep(time.Second)
		w.wantAttempts(t, "1 0s", "1 400ms", "1 800ms")
	})
}

// TestStallIsExcusedOnce: a probe that returns long after its deadline means
// that this process stood still, unless it is always so.
func TestStallIsExcusedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		c := second("a", 1)
		c.Fall, c.InitiallyUp = 1, true
		w.set.Close()
		w.set = New(Options{OnChange: w.note, NewProber: func(Config) Prober {
			return ProberFunc(func(ctx context.Context) error {
				time.Sleep(2 * time.Second)
				return ctx.Err()
			})
		}, Rand: func() float64 { return 0 }})
		t.Cleanup(w.set.Close)
		w.apply(t, c)
		time.Sleep(3 * time.Second)
		w.wantChanges(t)
		last := w.status(t, "a").Last
		if want := "this process stood still for about 1.5s: context deadline exceeded"; last == nil || last.Reason != want || !last.Inconclusive {
			t.Errorf("last result %+v, want inconclusive with reason %q", last, want)
		}
		time.Sleep(2 * time.Second)
		w.wantChanges(t, "4s a down first: context deadline exceeded")
	})
}

func TestForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return 200 * time.Millisecond, nil })
		c, other := second("a", 1), second("b", 2)
		c.Interval, other.Interval = time.Minute, time.Hour
		w.apply(t, c, other, Config{ID: "none", Kind: None})
		time.Sleep(100 * time.Millisecond)

		// The running attempt is not what the caller asked for.
		r, err := w.set.Force(t.Context(), "a")
		if err != nil || !r.OK || r.At.Sub(w.start) != 400*time.Millisecond {
			t.Errorf("Force: %+v, %v; want ok at 400ms", r, err)
		}
		time.Sleep(100 * time.Millisecond)
		w.answers(always(errRefused))
		r, err = w.set.Force(t.Context(), "a")
		if err != nil || r.OK || r.Reason != errRefused.Error() || r.At.Sub(w.start) != 500*time.Millisecond {
			t.Errorf("Force: %+v, %v; want refused at 500ms", r, err)
		}
		time.Sleep(time.Second)
		w.wantAttempts(t, "1 0s", "2 0s", "1 200ms", "1 500ms", "1 1s", "2 1s") // the second beats are at 1s
		if _, err := w.set.Force(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		w.wantAttempts(t, "2 1.5s")

		if _, err := w.set.Force(t.Context(), "c"); !errors.Is(err, ErrUnknown) {
			t.Errorf("Force of an unknown check: %v", err)
		}
		if _, err := w.set.Force(t.Context(), "none"); !errors.Is(err, ErrNone) {
			t.Errorf("Force of a check of kind none: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		if _, err := w.set.Force(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Force with a deadline: %v", err)
		}
	})
}

// TestForceBeforeTheFirstBeat leaves the schedule as it was: a first attempt
// soon, a second one drawn from the interval.
func TestForceBeforeTheFirstBeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{Rand: numbers(0.5, 0.5)})
		c := second("a", 1)
		c.Interval = 5 * time.Second
		w.apply(t, c)
		if _, err := w.set.Force(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(9 * time.Second)
		w.wantAttempts(t, "1 0s", "1 500ms", "1 3.5s", "1 8.5s")
	})
}

// TestForcedFailureIsRetried: what a forced attempt found is pending like any
// other result.
func TestForcedFailureIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		c := second("a", 1)
		c.Interval, c.RetryInterval = time.Minute, time.Second
		w.apply(t, c)
		time.Sleep(10 * time.Second)
		w.took()
		w.answers(always(errRefused))
		if _, err := w.set.Force(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		time.Sleep(5 * time.Second)
		attempts, changes := w.took()
		if diff := cmp.Diff([]string{"1 10s", "1 11s"}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"11s a down: connect: connection refused"}, changes); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

func TestForceOfARemovedCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		w.answers(func(attempt) (time.Duration, error) { return time.Hour, nil })
		w.apply(t, second("a", 1))
		go func() {
			synctest.Wait()
			w.apply(t)
		}()
		if _, err := w.set.Force(t.Context(), "a"); !errors.Is(err, ErrGone) {
			t.Errorf("Force: %v, want ErrGone", err)
		}
	})
}

// TestSlowReceiver: a receiver that hangs holds up neither the schedule nor
// itself later on: of each subject only the newest Change waits for it.
func TestSlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w *world
		release := make(chan struct{})
		w = newWorld(t, Options{OnChange: func(c Change) {
			w.note(c)
			if c.ID == "blocker" {
				<-release
			}
		}})
		w.answers(func(a attempt) (time.Duration, error) {
			if a.n%2 == 0 {
				return 0, nil
			}
			return 0, errRefused
		})
		flapping := second("flapping", 1)
		flapping.Fall = 1
		w.apply(t, Config{ID: "blocker", Kind: None})
		synctest.Wait()
		w.apply(t, Config{ID: "blocker", Kind: None}, flapping, Config{ID: "gone", Kind: None})
		time.Sleep(3500 * time.Millisecond)
		w.apply(t, Config{ID: "blocker", Kind: None}, flapping)
		w.wantAttempts(t, "1 0s", "1 1s", "1 2s", "1 3s")
		close(release)
		w.wantChanges(t, "3s flapping down first: connect: connection refused")
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Options{})
		at := func(d time.Duration) time.Time { return w.start.Add(d) }
		w.answers(func(a attempt) (time.Duration, error) {
			if a.n == 1 || a.n > 3 {
				return 20 * time.Millisecond, fmt.Errorf("HTTP %d", 500+a.n)
			}
			return 10 * time.Millisecond, nil
		})
		c := second("a", 1)
		w.apply(t, c, Config{ID: "none", Kind: None})
		time.Sleep(9500 * time.Millisecond)
		synctest.Wait()
		bad := func(n int) Result {
			return Result{At: at(time.Duration(n)*time.Second + 20*time.Millisecond), Took: 20 * time.Millisecond, Reason: fmt.Sprintf("HTTP %d", 500+n)}
		}
		last := bad(9)
		want := []Status{
			{
				ID: "a", Kind: TCP, Address: c.Address, State: Down, Since: at(5020 * time.Millisecond), Streak: 6,
				Last: &last, Failures: []Result{bad(9), bad(8), bad(7), bad(6), bad(5)},
				Counts:  Counts{Attempts: 10, Successes: 3, Failures: 7},
				NextDue: at(10 * time.Second), Shared: 1,
			},
			{ID: "none", Kind: None, State: Up, Up: true, Since: at(0)},
		}
		if diff := cmp.Diff(want, w.set.Status(), addresses); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
	})
}
