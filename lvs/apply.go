package lvs

import (
	"errors"
	"fmt"
	"slices"
)

// A Kernel is an IPVS table. All values that it returns and takes are canonical.
type Kernel interface {
	// Dump returns the whole content of the table.
	Dump() ([]Wanted, error)
	// Do makes changes in order, and returns the error of each, nil for those that it
	// has made. A change that fails does not stop the others. An error wraps one of
	// those below if that applies.
	Do(...Op) []error
}

// Errors of [Kernel.Do], with the error number of Linux.
var (
	// ErrExists: the service or server to be added exists already (EEXIST).
	ErrExists = errors.New("already exists")
	// ErrNoService: the service does not exist (ESRCH).
	ErrNoService = errors.New("no such service")
	// ErrNoServer: the server to be edited or deleted does not exist (ENOENT).
	ErrNoServer = errors.New("no such server")
	// ErrNoScheduler: the kernel does not have the scheduler and cannot load its module (ENOENT).
	ErrNoScheduler = errors.New("no such scheduler")
	// ErrUnanswered: the kernel did not answer in time. It may have made the change.
	ErrUnanswered = errors.New("no answer from the kernel")
)

// outdated reports whether an error means that the table has changed since the
// dump, so that planning again may help.
func outdated(err error) bool {
	return errors.Is(err, ErrExists) || errors.Is(err, ErrNoService) ||
		errors.Is(err, ErrNoServer) || errors.Is(err, ErrUnanswered)
}

// An Applier makes the changes in a Kernel and keeps track of the services that
// are ours. It is not safe for concurrent use.
type Applier struct {
	kernel   Kernel
	save     func([]Key) error
	saved    []Key          // our services as save has last saved them
	ours     map[Key]bool   // our services; the value says whether it is configured
	last     map[Key]Wanted // the want of the last Apply; nil before the first
	unsynced map[Key]bool   // services for which the last Apply could not make every change
}

// NewApplier returns an applier for k. known are the keys that a previous run was
// responsible for. The first Apply deletes those that are not configured any
// more.
//
// Apply calls save with the keys of all services that are ours when they have
// changed: before it adds a service and after it has deleted one. So after a
// crash no service of ours is unknown. While save fails, Apply adds no service
// that is not saved yet. save may be nil.
func NewApplier(k Kernel, known []Key, save func([]Key) error) *Applier {
	a := &Applier{kernel: k, save: save, ours: make(map[Key]bool)}
	for _, key := range known {
		a.ours[key.Canonical()] = false
	}
	a.saved = a.Owned()
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
	// Drift says that the change undid a change that another program had made.
	Drift bool
}

// An OpError is a change that failed.
type OpError struct {
	Op  Op
	Err error
}

// Error returns the ipvsadm command for the change and the cause of the failure.
func (e *OpError) Error() string { return fmt.Sprintf("%v: %v", e.Op, e.Err) }

// Unwrap returns the cause.
func (e *OpError) Unwrap() error { return e.Err }

// A Report is the result of Apply.
type Report struct {
	Changes []Change   // the changes that were made, in order
	Failed  []*OpError // the changes that failed
	Foreign []Key      // the services in the kernel that are not ours, sorted
}

// Err returns all failed changes as one error, or nil.
func (r *Report) Err() error {
	errs := make([]error, len(r.Failed))
	for i, f := range r.Failed {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// Apply makes the kernel's table hold want. configured are the keys of all
// configured services, those included that are not wanted at the moment
// ([Table.Keys]). If both are empty, Apply deletes all services that are ours.
//
// All changes go to the kernel together. One that fails does not stop the others. If
// a failure shows that another program has changed the table meanwhile, Apply reads
// it and plans once more. The failures of servers whose service could not be added
// follow from that one, and are not reported.
//
// The report is complete even with an error. The error says that the table could
// not be read, or that the keys could not be saved. Apply then makes no change of
// the table, or leaves out the services that are not saved.
func (a *Applier) Apply(configured []Key, want []Wanted) (Report, error) {
	var report Report
	a.claim(configured, want)
	if err := a.saveKeys(); err != nil {
		saved := slices.DeleteFunc(slices.Clone(want), func(w Wanted) bool { return !a.isSaved(w.Service.Key) })
		return report, errors.Join(err, a.change(saved, &report))
	}
	if err := a.change(want, &report); err != nil {
		return report, err
	}
	return report, a.saveKeys()
}

// change reads the table and makes it hold want.
func (a *Applier) change(want []Wanted, report *Report) error {
	for range 2 {
		have, err := a.kernel.Dump()
		if err != nil {
			return fmt.Errorf("read the IPVS table: %w", err)
		}
		report.Failed, report.Foreign = nil, a.foreign(have)
		a.do(Plan(have, want, a.isSaved), index(want), report)
		if !slices.ContainsFunc(report.Failed, func(e *OpError) bool { return outdated(e.Err) }) {
			break
		}
	}
	a.settle(want, report)
	return nil
}

// Preview returns the changes that Apply would make now. It changes nothing.
func (a *Applier) Preview(configured []Key, want []Wanted) ([]Op, error) {
	have, err := a.kernel.Dump()
	if err != nil {
		return nil, fmt.Errorf("read the IPVS table: %w", err)
	}
	return Plan(have, want, func(k Key) bool { return a.isOurs(k) || slices.Contains(configured, k) }), nil
}

// claim makes the configured services ours. A service that is not configured any
// more stays ours until it is deleted.
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

func (a *Applier) saveKeys() error {
	owned := a.Owned()
	if slices.Equal(owned, a.saved) {
		return nil
	}
	if a.save != nil {
		if err := a.save(owned); err != nil {
			return fmt.Errorf("save which IPVS services are ours: %w", err)
		}
	}
	a.saved = owned
	return nil
}

// foreign returns the keys of services that are not ours.
func (a *Applier) foreign(have []Wanted) []Key {
	var keys []Key
	for i := range have {
		if key := have[i].Service.Key; !a.isOurs(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, Key.Compare)
	return keys
}

func (a *Applier) isOurs(k Key) bool {
	_, ok := a.ours[k]
	return ok
}

func (a *Applier) isSaved(k Key) bool {
	_, ok := slices.BinarySearchFunc(a.saved, k, Key.Compare)
	return ok
}

// do makes the changes in order and adds them to the report.
func (a *Applier) do(ops []Op, want map[Key]Wanted, report *Report) {
	if len(ops) == 0 {
		return
	}
	missing := make(map[Key]bool)
	for i, err := range a.kernel.Do(ops...) {
		op := ops[i]
		key := op.Service.Key
		switch {
		case err == nil:
			report.Changes = append(report.Changes, Change{op, a.drift(op, want)})
		case op.Verb.Server() && missing[key] && errors.Is(err, ErrNoService):
		default:
			report.Failed = append(report.Failed, &OpError{op, err})
			missing[key] = missing[key] || op.Verb == AddService
		}
	}
}

// drift reports whether op undoes a change of another program. That is so if the
// last Apply left the service or server of op as it is wanted now.
func (a *Applier) drift(op Op, want map[Key]Wanted) bool {
	key := op.Service.Key
	if a.last == nil || a.unsynced[key] {
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

// settle keeps want and the services with failed changes for drift. Services that
// are neither configured nor in the kernel any more cease to be ours.
func (a *Applier) settle(want []Wanted, report *Report) {
	a.last, a.unsynced = index(want), make(map[Key]bool)
	for _, f := range report.Failed {
		a.unsynced[f.Op.Service.Key] = true
	}
	for key, configured := range a.ours {
		if !configured && !a.unsynced[key] {
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
