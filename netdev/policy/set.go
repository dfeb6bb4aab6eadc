package policy

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Protocol marks our routes and rules in the kernel, as `ip route` and `ip rule`
// show it: VRRP's IP protocol number.
const Protocol = 112

// A State says whether one route or rule of a device is in the kernel.
type State struct {
	Text    string // as Route.String or Rule.String writes it
	Rule    bool
	Present bool // it is there; a rule also if somebody else added the same one
	// Why says what keeps it from being there while the device needs it, or what
	// is odd about one that is present. It is "" if nothing is wrong.
	Why string
}

// A Want says what a device needs of its routes and rules.
type Want uint8

// The wants.
const (
	Away Want = iota // remove them
	Keep             // leave them as they are
	Held             // add what is missing
)

// A Device is a device with routes and rules. Its owner fills in the
// exported fields and passes it to the methods of a Set.
type Device struct {
	Name   string
	Index  int // 0: the device does not exist
	Routes []Route
	Rules  []Rule
	Want   Want

	states []State // from the last Apply
	tidied bool    // Away, and nothing of it is left
}

// A Change is one route or rule that was added, replaced or removed.
type Change struct {
	Device string // "": none that is known
	Text   string // "add route 0.0.0.0/0 via 10.0.0.1 table 7"
}

// A Set keeps the routes and rules of devices in the kernel. It is not safe
// for concurrent use.
type Set struct {
	conn    *rtnl.Conn
	held    func(name string) bool
	placed  map[any]*placed // ours, by routeKey or Rule
	foreign map[any]string  // by the same keys: somebody else's route or rule that has the place of ours
}

// NewSet returns a Set that knows nothing yet. held must report whether the
// device with a name has a Want other than Away.
func NewSet(c *rtnl.Conn, held func(name string) bool) *Set {
	return &Set{conn: c, held: held, placed: map[any]*placed{}, foreign: map[any]string{}}
}

// A placed is a route or rule of ours in the kernel.
type placed struct {
	by map[string]bool // the devices that want it
	// request is what added it. One that differs has to replace it.
	request string
	// doubtful says that somebody else's may have taken its place since.
	doubtful bool
}

// A job is one route or rule to add.
type job struct {
	device  *Device
	state   *State
	request *nl.NetlinkRequest
	second  *nl.NetlinkRequest // tried if the kernel refuses request; nil: none
	key     any                // a routeKey, or a normalised Rule
	text    string
	content string // of request
}

func newJob(d *Device, state *State, q *nl.NetlinkRequest, key any, text string) *job {
	c := *q
	c.Seq, c.Flags = 0, 0 // these are no part of what is asked for
	return &job{device: d, state: state, request: q, key: key, text: text, content: string(c.Serialize())}
}

// carryOut sends the requests of jobs, and the second request where the kernel
// refuses the first. The results are in the order of the jobs.
func (t *Set) carryOut(jobs []*job) []error {
	requests := make([]*nl.NetlinkRequest, len(jobs))
	for i, j := range jobs {
		requests[i] = j.request
	}
	results := t.conn.Do(requests)
	if results == nil {
		return make([]error, len(jobs))
	}
	var again []*nl.NetlinkRequest
	var of []int
	for i, j := range jobs {
		if results[i] != nil && !errors.Is(results[i], unix.EEXIST) && j.second != nil {
			again, of = append(again, j.second), append(of, i)
		}
	}
	second := t.conn.Do(again)
	for i := range again {
		if second == nil {
			results[of[i]] = nil
		} else {
			results[of[i]] = second[i]
		}
	}
	return results
}

// Apply adds and removes routes and rules as devices want. It removes and
// replaces only those that carry Protocol, and leaves everybody else's. It
// returns what it changed. A route or rule that the kernel refuses is no error:
// [Device.States] says why.
func (t *Set) Apply(devices []*Device) ([]Change, error) {
	var jobs []*job
	find := &names{indexes: map[string]int{}, tables: map[string]uint32{}}
	wanted := map[any]map[string]bool{}
	var idle []*Device
	for _, d := range devices {
		switch {
		case d.Want == Held:
			d.tidied = false
			jobs = append(jobs, t.jobs(d, find, wanted)...)
		case d.Want == Away && !d.tidied:
			idle = append(idle, d)
		}
	}
	// Routes come before the rules that lead to them.
	slices.SortStableFunc(jobs, func(a, b *job) int {
		return cmp.Compare(boolInt(a.state.Rule), boolInt(b.state.Rule))
	})
	repairs, err := t.place(jobs)
	return repairs, errors.Join(err, t.unplace(devices, idle, wanted, find))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// jobs lists what a device wants, adds their keys to wanted, and resets the
// device's states.
func (t *Set) jobs(d *Device, find *names, wanted map[any]map[string]bool) []*job {
	d.states = absent(d.Routes, d.Rules)
	var jobs []*job
	find.own = d.Index
	want := func(key any) {
		if wanted[key] == nil {
			wanted[key] = map[string]bool{}
		}
		wanted[key][d.Name] = true
	}
	for i := range d.Routes {
		r, state := &d.Routes[i], &d.states[i]
		table, err := r.table(find)
		if err == nil {
			key := r.key(table)
			want(key)
			var q *nl.NetlinkRequest
			if q, err = r.addRequest(key, find, false); err == nil {
				j := newJob(d, state, q, key, r.String())
				if r.bending() {
					j.second, _ = r.addRequest(key, find, true)
				}
				jobs = append(jobs, j)
			}
		}
		if err != nil {
			state.Why = err.Error()
		}
	}
	for i := range d.Rules {
		r := &d.Rules[i]
		key := r.normal()
		want(key)
		q := ruleRequest(unix.RTM_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, r)
		jobs = append(jobs, newJob(d, &d.states[len(d.Routes)+i], q, key, r.String()))
	}
	return jobs
}

// absent returns the states of routes and rules that are not there.
func absent(routes []Route, rules []Rule) []State {
	states := make([]State, 0, len(routes)+len(rules))
	for _, r := range routes {
		states = append(states, State{Text: r.String()})
	}
	for _, r := range rules {
		states = append(states, State{Text: r.String(), Rule: true})
	}
	return states
}

// place adds the routes and rules that are missing.
func (t *Set) place(jobs []*job) ([]Change, error) {
	var repairs []Change
	var doubtful []*job
	for i, err := range t.carryOut(jobs) {
		j := jobs[i]
		switch p := t.placed[j.key]; {
		case err == nil:
			t.put(j)
			repairs = append(repairs, Change{j.device.Name, "add " + j.text})
		case !errors.Is(err, unix.EEXIST):
			delete(t.placed, j.key)
			j.state.Why = err.Error()
		case p != nil && p.request == j.content && !p.doubtful:
			t.put(j)
		case t.foreign[j.key] != "":
			j.occupied(t.foreign[j.key])
		default:
			doubtful = append(doubtful, j)
		}
	}
	changed, err := t.resolve(doubtful)
	return append(repairs, changed...), err
}

// put records that a job's route or rule is there, as the job asked for it.
func (t *Set) put(j *job) {
	p := t.placed[j.key]
	if p == nil {
		p = &placed{by: map[string]bool{}}
		t.placed[j.key] = p
	}
	p.by[j.device.Name], p.request, p.doubtful = true, j.content, false
	delete(t.foreign, j.key)
	j.state.Present = true
}

// occupied records that somebody else's route or rule has the place.
func (j *job) occupied(by string) {
	j.state.Why = by
	j.state.Present = j.state.Rule // two rules with one key do the same
}

// unplace removes what devices no longer want, and everything of idle devices.
func (t *Set) unplace(devices, idle []*Device, wanted map[any]map[string]bool, find *names) error {
	settled := map[string]bool{}
	for _, d := range devices {
		if d.Want != Keep {
			settled[d.Name] = true
		}
	}
	var keys []any
	for key, p := range t.placed {
		maps.DeleteFunc(p.by, func(name string, _ bool) bool { return settled[name] && !wanted[key][name] })
		if len(p.by) == 0 {
			keys = append(keys, key)
		}
	}
	// What a crashed run added is known only by what the device wants.
	for _, d := range idle {
		d.states = nil
		for _, key := range d.keys(find) {
			if t.placed[key] == nil {
				keys = append(keys, key)
			}
		}
	}
	for _, key := range keys {
		delete(t.placed, key)
		delete(t.foreign, key)
	}
	err := t.delete(keys)
	for _, d := range idle {
		d.tidied = err == nil
	}
	return err
}

// keys returns the keys of all routes and rules of d. It leaves out routes whose
// table is not known.
func (d *Device) keys(l lookup) []any {
	var keys []any
	for i := range d.Routes {
		if table, err := d.Routes[i].table(l); err == nil {
			keys = append(keys, d.Routes[i].key(table))
		}
	}
	for i := range d.Rules {
		keys = append(keys, d.Rules[i].normal())
	}
	return keys
}

// delete removes our routes and rules with these keys: the rules before the
// routes that they lead to.
func (t *Set) delete(keys []any) error {
	var requests []*nl.NetlinkRequest
	for _, key := range keys {
		if r, ok := key.(Rule); ok {
			requests = append(requests, ruleRequest(unix.RTM_DELRULE, 0, &r))
		}
	}
	for _, key := range keys {
		if k, ok := key.(routeKey); ok {
			requests = append(requests, k.deleteRequest())
		}
	}
	var errs []error
	for _, err := range t.conn.Do(requests) {
		if err != nil && !rtnl.Gone(err) && !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.ENOENT) {
			errs = append(errs, fmt.Errorf("remove route or rule: %w", err))
		}
	}
	return errors.Join(errs...)
}

// States returns what became of the routes and rules of d: routes first, each in
// the order of the fields. Nothing is present unless d wants them Held.
func (d *Device) States() []State {
	if len(d.states) == 0 {
		return absent(d.Routes, d.Rules)
	}
	return slices.Clone(d.states)
}

// Tidy reports whether d is Away and nothing of it is left in the kernel.
func (d *Device) Tidy() bool { return d.Want == Away && d.tidied }

// Doubt makes the next Apply check whether the routes and rules that are there
// are still ours.
func (t *Set) Doubt() { t.doubt(func(any) bool { return true }) }

func (t *Set) doubt(whether func(key any) bool) {
	for key, p := range t.placed {
		p.doubtful = p.doubtful || whether(key)
	}
	maps.DeleteFunc(t.foreign, func(key any, _ string) bool { return whether(key) })
}

// Concerns reports whether an event may mean that a route or rule of ours is
// gone, or that the place of one has become free, so that Apply has something to
// do.
func (t *Set) Concerns(e Event) bool {
	if e.Ours && !e.Gone {
		return false
	}
	found := false
	t.doubt(func(key any) bool {
		k, isRoute := key.(routeKey)
		hit := e.Lost || isRoute == e.Prefix.IsValid() && (!isRoute || k.to == e.Prefix && k.table == e.Table)
		found = found || hit
		return hit
	})
	return found
}
