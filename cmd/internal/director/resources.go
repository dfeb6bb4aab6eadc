package director

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/resource"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// resources is the subsystem of what runs where a unit is MASTER. It follows the state
// of the units, and has claims of addresses wait for what must run before.
type resources struct {
	base
	path      string // of the state file
	gate      *claimGate
	problems  func([]status.Problem)
	fault     func(members []string, problem string) // raises or, with "", ends a fault of instances
	workUntil func(done func() bool, limit time.Duration) bool

	conf  *conf.Config
	units map[string]*unitResources
	// masters are the groups and instances that are MASTER, also those without
	// resources: a reload can give them some.
	masters map[string]bool
	saved   savedResources // of a former run, until the first apply
	ctx     context.Context
	cancel  context.CancelFunc
	ending  bool  // the daemon stops
	unkept  error // why the state file could not be written
	gone    bool  // the state file was removed: nothing runs any more
}

// unitResources are the resources of one unit.
type unitResources struct {
	name    string
	members []string
	longest time.Duration // that a stop of everything can take
	chain   resource.Chain
	specs   map[string]conf.Resource
	jobs    map[string]resource.Saved // what runs for a resource
	// breakOff ends the start that runs; nil: none runs, or it was broken off.
	breakOff context.CancelCauseFunc

	known   bool // it is known whether this director is MASTER
	master  bool
	leaving bool // mastership is about to be given away on request
	fence   conf.Fence
	fencing fencing
	claims  map[string]speaker.Order // that wait
	holding map[string]uint64        // members whose addresses are on, with the number of their claim
	faulty  string                   // the fault that was raised
	timer   *time.Timer
	settled []func() // called once nothing is left to be done
}

func newResources(b base, dir string, gate *claimGate) *resources {
	r := &resources{
		base: b, path: filepath.Join(dir, "resources.json"), gate: gate, units: map[string]*unitResources{}, masters: map[string]bool{},
		problems: func([]status.Problem) {}, fault: func([]string, string) {},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	gate.told = func(o speaker.Order, held bool) { r.post(func() { r.ordered(o, held) }) }
	return r
}

// restore takes over what a former run has started.
func (r *resources) restore(u *upgradeState) { r.saved = r.recall(u.At != 0) }

// apply takes over the resources of a configuration. Those of a unit that has another
// name now go on under that name.
func (r *resources) apply(c *conf.Config) {
	first := r.conf == nil
	r.conf = c
	wanted := map[string]bool{}
	for _, u := range units(c) {
		if known := r.find(&u); known != nil || len(u.resources()) > 0 || u.fence().Kind != "" {
			wanted[u.name] = true
			r.applyUnit(known, &u)
		}
	}
	for name, u := range r.units {
		if !wanted[name] {
			u.specs, u.fence = nil, conf.Fence{}
			u.chain.Apply(time.Now(), nil)
		}
	}
	if first {
		r.adopt()
	}
	r.regate()
	r.stepAll()
}

// find returns what runs of a unit, and enters it under the unit's name.
func (r *resources) find(u *unit) *unitResources {
	if known := r.units[u.name]; known != nil {
		return known
	}
	for name, known := range r.units {
		shares := slices.ContainsFunc(u.resources(), func(s conf.Resource) bool { _, has := known.specs[s.Name]; return has })
		renamed := !slices.ContainsFunc(units(r.conf), func(v unit) bool { return v.name == name })
		if shares && renamed {
			delete(r.units, name)
			known.name, r.units[u.name] = u.name, known
			return known
		}
	}
	return nil
}

func (r *resources) applyUnit(u *unitResources, c *unit) {
	fresh := u == nil
	if fresh {
		u = &unitResources{
			name: c.name, known: true, jobs: map[string]resource.Saved{},
			claims: map[string]speaker.Order{}, holding: map[string]uint64{},
		}
		r.units[c.name] = u
	}
	u.fence = c.fence()
	u.members, u.specs, u.longest = memberNames(c.members), map[string]conf.Resource{}, time.Second
	u.forgetOthers()
	var specs []resource.Spec
	for _, s := range c.resources() {
		u.specs[s.Name] = s
		u.longest += time.Duration(s.Retries+1) * (s.StopTimeout + 3*time.Second)
		specs = append(specs, chainSpec(&s))
	}
	u.chain.Apply(time.Now(), specs)
	if fresh && r.masters[c.name] {
		r.enter(u)
	}
}

// forgetOthers forgets the claims and addresses of routers that are no members any more.
func (u *unitResources) forgetOthers() {
	maps.DeleteFunc(u.claims, func(name string, _ speaker.Order) bool { return !slices.Contains(u.members, name) })
	maps.DeleteFunc(u.holding, func(name string, _ uint64) bool { return !slices.Contains(u.members, name) })
}

// regate has the claims of all members wait whose unit has something to wait for.
func (r *resources) regate() {
	gated := map[string]bool{}
	for _, u := range r.units {
		if u.gates() {
			for _, m := range u.members {
				gated[m] = true
			}
		}
	}
	r.gate.set(gated)
}

// gates reports whether claims of the unit wait for something.
func (u *unitResources) gates() bool {
	for _, s := range u.specs {
		if s.Before == conf.ResourceBeforeAddresses {
			return true
		}
	}
	return u.fence.Kind != ""
}

// ordered notes a claim or release of a gated router.
func (r *resources) ordered(o speaker.Order, held bool) {
	u := r.unitOf(o.Router)
	if u == nil {
		return
	}
	delete(u.claims, o.Router)
	switch {
	case held:
		u.claims[o.Router] = o
	case o.Verb == vrrp.Claim:
		u.holding[o.Router] = o.Seq
	}
	r.step(u)
}

// released notes that the addresses of a router are gone.
func (r *resources) released(o speaker.Order) {
	u := r.unitOf(o.Router)
	if u == nil {
		return
	}
	if seq, on := u.holding[o.Router]; on && seq < o.Seq {
		delete(u.holding, o.Router)
	}
	u.known = true // somebody else is MASTER
	r.step(u)
}

func (r *resources) unitOf(router string) *unitResources {
	for _, u := range r.units {
		if slices.Contains(u.members, router) {
			return u
		}
	}
	return nil
}

// setMaster notes whether a unit is MASTER.
func (r *resources) setMaster(name string, master bool) {
	if master {
		r.masters[name] = true
	} else {
		delete(r.masters, name)
	}
	u := r.units[name]
	if u == nil || u.master == master {
		return
	}
	u.master, u.leaving = master, false
	if master {
		r.enter(u)
	}
	r.step(u)
}

// enter notes that a unit is MASTER, and that its addresses are on.
func (r *resources) enter(u *unitResources) {
	u.master, u.known = true, true
	for _, m := range u.members {
		if _, on := u.holding[m]; !on {
			u.holding[m] = 0
		}
		r.gate.holds(m)
	}
}

// handle follows the state of the units.
func (r *resources) handle(e *event.Event) {
	if e.Kind == event.KindInstance || e.Kind == event.KindGroup {
		r.setMaster(e.Subject, e.To == event.Master)
	}
}

// wish is how far the resources of a unit are to be up.
func (r *resources) wish(u *unitResources, fenced bool) resource.Wish {
	leaving := u.leaving || r.ending
	switch {
	case len(u.specs) == 0:
		return resource.None
	case !u.known && (len(u.claims) == 0 || !fenced):
		return resource.Hold
	case !u.known:
		return resource.All // the former run's go on
	case u.master && !leaving:
		return resource.All
	case len(u.claims) > 0 && fenced && !leaving:
		return resource.Early
	case u.master || len(u.holding) > 0:
		return resource.Yield
	}
	return resource.None
}

func (r *resources) stepAll() {
	for _, u := range r.units {
		r.step(u)
	}
}

// step does what follows from all that is known of a unit.
func (r *resources) step(u *unitResources) {
	now := time.Now()
	fenced := r.fenced(u, now)
	u.chain.SetWish(now, r.wish(u, fenced))
	r.endStart(u)
	job, ok := u.chain.Step(now)
	if ok {
		r.begin(u, job)
	}
	r.tell(u)
	r.refault(u)
	if len(u.claims) > 0 && fenced && u.ready() && u.faulty == "" {
		r.admitClaims(u)
	}
	if u.timer != nil {
		u.timer.Stop()
	}
	if at := u.deadline(now); !at.IsZero() {
		u.timer = time.AfterFunc(time.Until(at), func() { r.post(func() { r.step(u) }) })
	}
	if u.chain.Settled() {
		r.rest(u)
	}
}

// rest tells who waits that nothing is left to be done, and forgets a unit that has no
// resources any more.
func (r *resources) rest(u *unitResources) {
	list := u.settled
	u.settled = nil
	for _, f := range list {
		f()
	}
	if len(u.specs) == 0 && u.fence.Kind == "" && len(u.claims) == 0 && r.units[u.name] == u {
		delete(r.units, u.name)
	}
}

// ready reports whether the resources before the addresses run, or failed for good.
func (u *unitResources) ready() bool { return len(u.specs) == 0 || u.chain.Ready() }

// deadline returns when a step is due because of the time; zero: never.
func (u *unitResources) deadline(now time.Time) time.Time {
	at := u.chain.Deadline(now)
	if again := u.fencing.at; again.After(now) && (at.IsZero() || again.Before(at)) {
		at = again
	}
	return at
}

// admitClaims lets the claims of a unit pass.
func (r *resources) admitClaims(u *unitResources) {
	var routers []string
	for name, o := range u.claims {
		routers = append(routers, name)
		u.holding[name] = o.Seq
	}
	clear(u.claims)
	r.gate.open(routers)
}

// errUnwanted is why a start is broken off.
var errUnwanted = errors.New("it is not to run here any more")

// endStart breaks off a start that is not wanted any more: another director may start the
// resource already, and systemd does not wait long for the end of the daemon.
func (r *resources) endStart(u *unitResources) {
	if u.breakOff != nil && u.chain.Unwanted() {
		u.breakOff(errUnwanted)
		u.breakOff = nil
	}
}

// begin has a job carried out in a goroutine of its own.
func (r *resources) begin(u *unitResources, j resource.Job) {
	s := u.specs[j.Name] // zero if it is not configured any more
	life, breakOff := context.WithCancelCause(r.ctx)
	if j.Action == resource.Start {
		u.breakOff = breakOff
	}
	done := func(problem string) {
		broken := life.Err() != nil
		breakOff(nil)
		r.post(func() { r.ended(u, j.Name, problem, broken) })
	}
	if j.Outlives {
		was := u.jobs[j.Name]
		r.spawn(func() { resource.Await(life, was.PID, was.Ticks, was.Deadline); done("") })
		return
	}
	deadline := time.Now().Add(jobTimeout(&s, j.Action))
	env := resource.Environ(r.conf.Director.Name, u.name, j.Name, j.Action)
	began := func(pid int) {
		ticks := resource.Ticks(pid)
		r.post(func() {
			if _, running := u.jobs[j.Name]; running {
				u.jobs[j.Name] = resource.Saved{PID: pid, Ticks: ticks, Deadline: deadline}
				r.keep()
			}
		})
	}
	u.jobs[j.Name] = resource.Saved{}
	r.spawn(func() {
		ctx, cancel := context.WithDeadline(life, deadline)
		defer cancel()
		done(resource.Run(ctx, j.Runner, j.Action, env, began))
	})
}

// ended takes the result of a job.
func (r *resources) ended(u *unitResources, name, problem string, broken bool) {
	delete(u.jobs, name)
	u.breakOff = nil
	if broken {
		u.chain.Broken(time.Now(), problem)
	} else {
		u.chain.Done(time.Now(), problem)
	}
	r.step(u)
}

// tell publishes what changed, and keeps it for the next run.
func (r *resources) tell(u *unitResources) {
	changes := u.chain.Changes()
	if len(changes) == 0 {
		return
	}
	for _, c := range changes {
		quiet := c.Reason == "" && (c.To == resource.Starting || c.To == resource.Stopping)
		if quiet {
			continue
		}
		level := r.log.Info
		if c.To == resource.Failed || c.To == resource.Stuck {
			level = r.log.Error
		}
		level("resource", "name", c.Name, "group", u.name, "from", c.From, "to", c.To, "reason", c.Reason)
		r.publish(event.Event{
			Kind: event.KindResource, Subject: c.Name, From: string(c.From), To: string(c.To), Reason: c.Reason,
			Detail: map[string]string{"group": u.name},
		})
	}
	r.keep()
	r.problems(r.troubles())
}

// refault raises or ends the fault of a unit whose resources do not run.
func (r *resources) refault(u *unitResources) {
	if problem := u.chain.Fault(); problem != u.faulty {
		u.faulty = problem
		r.fault(u.members, problem)
	}
}

// troubles lists the resources that do not run where they should, or run where they
// should not.
func (r *resources) troubles() (list []status.Problem) {
	hint := ""
	if !program.IsRoot() {
		hint = "; the daemon is not root, which most resources need: see as-root.conf in docs/resources.md"
	}
	for _, u := range r.units {
		for _, s := range u.chain.Standings() {
			switch s.State {
			case resource.Failed:
				list = append(list, status.Problem{Kind: "resource", Name: s.Name, Text: fmt.Sprintf("resource %s does not run: %s%s", s.Name, s.Problem, hint)})
			case resource.Stuck:
				list = append(list, status.Problem{Kind: "resource", Name: s.Name, Text: fmt.Sprintf("resource %s could not be stopped and may still run here: %s%s", s.Name, s.Problem, hint)})
			}
		}
	}
	for _, u := range r.units {
		list = append(list, u.fenceTroubles()...)
	}
	if r.unkept != nil {
		list = append(list, unkeptProblem(r.unkept))
	}
	return list
}

// withdraw stops what runs behind the addresses while this director is still MASTER:
// the next MASTER must not start it meanwhile.
func (r *resources) withdraw() {
	r.ending = true
	for _, u := range r.units {
		u.chain.Close()
	}
	r.bringDown()
}

// stop stops what is left, once the addresses are gone.
func (r *resources) stop() error {
	for _, u := range r.units {
		u.known, u.master = true, false
		clear(u.holding)
		clear(u.claims)
	}
	if !r.bringDown() {
		return fmt.Errorf("resources could not be stopped in time")
	}
	return r.forget()
}

// bringDown steps until nothing is left to be done, or that takes too long.
func (r *resources) bringDown() bool {
	r.stepAll()
	var longest time.Duration
	settled := func() bool {
		for _, u := range r.units {
			if !u.chain.Settled() {
				return false
			}
		}
		return true
	}
	for _, u := range r.units {
		longest = max(longest, u.longest)
	}
	return settled() || r.workUntil(settled, longest)
}

func (r *resources) suspend() { r.keep() }

func (r *resources) close() {
	r.cancel()
	for _, u := range r.units {
		if u.timer != nil {
			u.timer.Stop()
		}
	}
}
