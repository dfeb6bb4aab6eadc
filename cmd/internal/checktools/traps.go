package checktools

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"holdfast/checker/probe"
)

// Traps hold the latest trap of mon for each service, and notice when none comes. The
// zero value knows no service. The methods may be called from any goroutine.
type Traps struct {
	// Ran is called in any goroutine for each trap, and when one is missing; Lapsed when
	// the time of a trap is over. They may be nil, and are set before the first use.
	Ran    func(probe.MonRun)
	Lapsed func(service string)

	callers callers

	mu  sync.Mutex
	all map[string]*trapped // by the name of the service
}

var _ probe.Traps = (*Traps)(nil)

// A trapped is a service that takes traps.
type trapped struct {
	settings probe.Trap
	known    bool // a trap has come, or was missing
	saved    SavedTrap
	silence  *time.Timer // nil: none
	lasts    *time.Timer // nil: none
	round    int         // of the timers: one of an earlier round that has fired is too late
}

// A SavedTrap is what is known of a service, as it outlives an upgrade.
type SavedTrap struct {
	At     time.Time `json:"at"` // of the latest trap; zero: none has come
	Status int       `json:"status"`
	Output string    `json:"output,omitempty"`
	Lapsed bool      `json:"lapsed,omitempty"` // its time is over
}

// Apply brings the services to those of a configuration. One that stays keeps what is
// known of it. since has what the former binary knew.
func (t *Traps) Apply(services map[string]probe.Trap, since map[string]SavedTrap) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]*trapped{}
	}
	maps.DeleteFunc(t.all, func(name string, v *trapped) bool {
		_, wanted := services[name]
		if !wanted {
			v.stop()
		}
		return !wanted
	})
	now := time.Now()
	for name, s := range services {
		v := t.all[name]
		if v == nil {
			v = &trapped{}
			t.all[name] = v
			v.saved, v.known = since[name]
		}
		if v.silence == nil && v.lasts == nil || v.settings.Silence != s.Silence || v.settings.Lasts != s.Lasts {
			v.settings = s
			t.arm(name, v, now)
		}
		v.settings = s
	}
}

// arm begins the times of a service anew. Those of a trap that came before go on.
func (t *Traps) arm(name string, v *trapped, now time.Time) {
	v.stop()
	round := v.round
	past := time.Duration(0)
	if v.known {
		past = max(now.Sub(v.saved.At), 0)
	}
	if d := v.settings.Silence; d > 0 {
		v.silence = time.AfterFunc(d-past%d, func() { t.missing(name, v, round) })
	}
	if d := v.settings.Lasts; d > 0 && !v.saved.At.IsZero() && !v.saved.Lapsed {
		v.lasts = time.AfterFunc(max(d-past, 0), func() { t.lapse(name, v, round) })
	}
}

func (v *trapped) stop() {
	for _, timer := range []*time.Timer{v.silence, v.lasts} {
		if timer != nil {
			timer.Stop()
		}
	}
	v.silence, v.lasts = nil, nil
	v.round++
}

// ErrNoService says that no service takes a trap.
type ErrNoService struct{ Name string }

func (e ErrNoService) Error() string {
	return fmt.Sprintf("no [[service]] named %q has a check of type trap", e.Name)
}

// Receive takes a trap for GROUP:SERVICE. If no service has that name, default:SERVICE
// or default:default takes it, as in mon.
func (t *Traps) Receive(group, service string, status int, output string) error {
	name, intended := group+":"+service, ""
	t.mu.Lock()
	if t.all[name] == nil {
		intended = name
		if name = "default:" + service; t.all[name] == nil {
			name = "default:default"
		}
	}
	v := t.all[name]
	if v == nil {
		t.mu.Unlock()
		return ErrNoService{intended}
	}
	now := time.Now()
	v.known, v.saved = true, SavedTrap{At: now, Status: status, Output: output}
	t.arm(name, v, now)
	run := v.run(name, now)
	run.Source, run.Intended = probe.FromTrap, intended
	t.mu.Unlock()
	t.tell(name, run)
	return nil
}

func (v *trapped) run(name string, now time.Time) *probe.MonRun {
	return &probe.MonRun{Service: name, At: now, Status: v.saved.Status, Output: v.saved.Output, Environment: v.settings.Environment}
}

func (t *Traps) tell(name string, run *probe.MonRun) {
	if t.Ran != nil {
		t.Ran(*run)
	}
	t.callers.call(name)
}

// missing notes that no trap has come for the time that the service allows.
func (t *Traps) missing(name string, v *trapped, round int) {
	t.mu.Lock()
	if v.round != round {
		t.mu.Unlock()
		return
	}
	now := time.Now()
	d := v.settings.Silence
	output := fmt.Sprintf("trap timeout\ntrap timeout after %ds at %s\n", int(d.Seconds()), now.Format(time.ANSIC))
	v.known, v.saved.Status, v.saved.Output = true, 1, output
	v.silence = time.AfterFunc(d, func() { t.missing(name, v, round) })
	run := v.run(name, now)
	run.Source = probe.FromTrapTimeout
	t.mu.Unlock()
	t.tell(name, run)
}

// lapse notes that the time of a trap is over.
func (t *Traps) lapse(name string, v *trapped, round int) {
	t.mu.Lock()
	if v.round != round {
		t.mu.Unlock()
		return
	}
	v.lasts = nil
	v.saved.Status, v.saved.Output, v.saved.Lapsed = 0, "", true
	t.mu.Unlock()
	if t.Lapsed != nil {
		t.Lapsed(name)
	}
	t.callers.call(name)
}

// Latest implements probe.Traps.
func (t *Traps) Latest(service string) (status int, output string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	v := t.all[service]
	if v == nil || !v.known {
		return 0, "", false
	}
	return v.saved.Status, v.saved.Output, true
}

// Watch implements probe.Traps.
func (t *Traps) Watch(service string, changed func()) (stop func()) {
	leave, _ := t.callers.add(service, changed)
	return func() { leave() }
}

// Save returns what is known, for the next binary.
func (t *Traps) Save() map[string]SavedTrap {
	t.mu.Lock()
	defer t.mu.Unlock()
	saved := map[string]SavedTrap{}
	for name, v := range t.all {
		if v.known {
			saved[name] = v.saved
		}
	}
	return saved
}

// Services returns the names of the services that take traps, sorted.
func (t *Traps) Services() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.all))
}

// Close ends all times.
func (t *Traps) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, v := range t.all {
		v.stop()
	}
}
