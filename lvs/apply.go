package lvs

import (
	"errors"
	"fmt"
	"slices"
)

// A Kernel is an IPVS table. What it gives and takes is in canonical form.
type Kernel interface {
	// Dump returns the whole content of the table.
	Dump() ([]Wanted, error)
	// Do makes one change. Its errors wrap those of this package where they fit.
	Do(Op) error
}

// What a Kernel says of a change that it does not make.
var (
	// ErrExists: the service or server to be added is there already (EEXIST).
	ErrExists = errors.New("exists already")
	// ErrNoService: the service is not there (ESRCH).
	ErrNoService = errors.New("no such service")
	// ErrNoServer: the server to be edited or deleted is not there (ENOENT).
	ErrNoServer = errors.New("no such server")
	// ErrNoScheduler: the kernel has no such scheduler and finds no module for it (ENOENT).
	ErrNoScheduler = errors.New("no such scheduler")
	// ErrUnanswered: no answer came in time; the change may have been made.
	ErrUnanswered = errors.New("no answer from the kernel")
)

// surprising reports whether an error means that the table is not what the
// dump said, so that another look is worth it.
func surprising(err error) bool {
	return errors.Is(err, ErrExists) || errors.Is(err, ErrNoService) ||
		errors.Is(err, ErrNoServer) || errors.Is(err, ErrUnanswered)
}

// An Applier brings a Kernel to what is wanted and knows which services are
// ours. It is not safe for concurrent use.
type Applier struct {
	kernel   Kernel
	remember func([]Key) error
	stored   []Key          // what remember was told last
	ours     map[Key]bool   // true while configured, false when left over
	last     map[Key]Wanted // what the last Apply wanted; nil before the first
	troubled map[Key]bool   // services of which it could not make every change
}

// NewApplier returns an applier over k. remembered are the keys that a former
// run was responsible for: they are deleted unless they are configured again.
// remember is told all keys that are ours whenever they change, before
// anything is made and after everything is deleted, so that no crash leaves a
// service behind that nobody knows; nil is for a caller that keeps no memory.
func NewApplier(k Kernel, remembered []Key, remember func([]Key) error) *Applier {
	a := &Applier{kernel: k, remember: remember, ours: make(map[Key]bool)}
	for _, key := range remembered {
		a.ours[key.Canonical()] = false
	}
	a.stored = a.Owned()
	return a
}

// Owned returns the keys of all services that are ours, sorted.
func (a *Applier) Owned() []Key {
	keys := make([]Key, 0, len(a.ours))
	for key := range a.ours {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}

// A Change is a change that was made.
type Change struct {
	Op Op
	// Drift tells that it undid what somebody else did to the table.
	Drift bool
}

// An OpError is a change that was not made.
type OpError struct {
	Op  Op
	Err error
}

// Error returns what was attempted, as an ipvsadm command, and what came of it.
func (e *OpError) Error() string { return fmt.Sprintf("%v: %v", e.Op, e.Err) }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// A Report says what Apply did.
type Report struct {
	Changes []Change   // made, in order
	Failed  []*OpError // not made
}

// Err returns the failed changes joined, or nil.
func (r *Report) Err() error {
	errs := make([]error, len(r.Failed))
	for i, f := range r.Failed {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Apply brings the kernel to want. configured are the keys of all services
// that are configured, wanted at the moment or not ([Table.Keys]). With neither
// it deletes everything that is ours.
//
// It looks at the table, plans and makes the changes in order; a change that
// fails does not keep the others from being made, except those of the servers
// of a service that could not be added. If the table turns out to have changed
// under our hands it looks and plans once more. The error is that of looking or
// of remembering; changes that failed are in the report.
func (a *Applier) Apply(configured []Key, want []Wanted) (Report, error) {
	var report Report
	a.claim(configured, want)
	if err := a.store(); err != nil {
		return report, err
	}
	for range 2 {
		have, err := a.kernel.Dump()
		if err != nil {
			return report, fmt.Errorf("read the ipvs table: %w", err)
		}
		report.Failed = nil
		a.do(Plan(have, want, a.isOurs), index(want), &report)
		if !slices.ContainsFunc(report.Failed, func(e *OpError) bool { return surprising(e.Err) }) {
			break
		}
	}
	a.settle(want, &report)
	return report, a.store()
}

// Preview returns the changes that Apply would make now. It makes none.
func (a *Applier) Preview(configured []Key, want []Wanted) ([]Op, error) {
	have, err := a.kernel.Dump()
	if err != nil {
		return nil, fmt.Errorf("read the ipvs table: %w", err)
	}
	return Plan(have, want, func(k Key) bool { return a.isOurs(k) || slices.Contains(configured, k) }), nil
}

// claim makes the configured services ours; former ones stay ours until they
// are deleted.
func (a *Applier) claim(configured []Key, want []Wanted) {
	for key := range a.ours {
		a.ours[key] = false
	}
	for _, key := range configured {
		a.ours[key.Canonical()] = true
	}
	for i := range want {
		a.ours[want[i].Service.Key] = true
	}
}

func (a *Applier) store() error {
	owned := a.Owned()
	if a.remember == nil || slices.Equal(owned, a.stored) {
		return nil
	}
	if err := a.remember(owned); err != nil {
		return fmt.Errorf("remember which services are ours: %w", err)
	}
	a.stored = owned
	return nil
}

func (a *Applier) isOurs(k Key) bool {
	_, ok := a.ours[k]
	return ok
}

// do makes changes in order and notes them.
func (a *Applier) do(ops []Op, want map[Key]Wanted, report *Report) {
	missing := make(map[Key]bool)
	for _, op := range ops {
		key := op.Service.Key
		if op.Verb.Server() && missing[key] {
			continue
		}
		if err := a.kernel.Do(op); err != nil {
			report.Failed = append(report.Failed, &OpError{op, err})
			missing[key] = op.Verb == AddService
			continue
		}
		report.Changes = append(report.Changes, Change{op, a.drift(op, want)})
	}
}

// drift reports whether op makes again what the last Apply had made already:
// then somebody else undid it.
func (a *Applier) drift(op Op, want map[Key]Wanted) bool {
	key := op.Service.Key
	if a.last == nil || a.troubled[key] {
		return false
	}
	before, wasThere := a.last[key]
	now, isThere := want[key]
	if !op.Verb.Server() || !wasThere || !isThere {
		return wasThere == isThere && before.Service == now.Service
	}
	b, wasIn := find(before.Servers, op.Server)
	n, isIn := find(now.Servers, op.Server)
	return wasIn == isIn && b == n
}

// settle remembers what was wanted and what of it could not be made, and
// forgets services that are neither configured nor in the kernel any more.
func (a *Applier) settle(want []Wanted, report *Report) {
	a.last, a.troubled = index(want), make(map[Key]bool)
	for _, f := range report.Failed {
		a.troubled[f.Op.Service.Key] = true
	}
	for key, configured := range a.ours {
		if !configured && !a.troubled[key] {
			delete(a.ours, key)
		}
	}
}

func index(list []Wanted) map[Key]Wanted {
	m := make(map[Key]Wanted, len(list))
	for _, w := range list {
		m[w.Service.Key] = w
	}
	return m
}

func find(servers []Server, s Server) (Server, bool) {
	i, ok := slices.BinarySearchFunc(servers, s, byAddress)
	if !ok {
		return Server{}, false
	}
	return servers[i], true
}
