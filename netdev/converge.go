package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxRounds bounds how often converge looks again: a device that has to be
// removed, made and filled needs three.
const maxRounds = 5

// converge brings devices to their specs and states, and the sysctls that they
// need: look, plan, apply, until there is nothing to do. A device that cannot
// be brought there gets an entry in failed and is left; the error is of what
// concerns all.
func (h *Host) converge(devices []*device, failed map[*device]error) ([]Repair, error) {
	h.settled = false
	var repairs []Repair
	parents, configured := parentConf{}, map[int]bool{}
	var o *observation
	var wants []want
	defer func() { h.settings.Load().holdInterfaces(o, wants, parents) }()
	for round := range maxRounds {
		var err error
		if o, err = observe(h.conn); err != nil {
			return repairs, err
		}
		if round == 0 {
			var did []string
			wants, did, err = h.enforce(o)
			for _, text := range did {
				repairs = append(repairs, Repair{Text: text})
			}
			if err != nil {
				return repairs, err
			}
		}
		var ops []op
		for _, d := range devices {
			if failed[d] != nil {
				continue
			}
			did, steps, err := h.step(d, o, parents, configured)
			for _, text := range did {
				repairs = append(repairs, Repair{d.spec.Name, text})
			}
			if err != nil {
				failed[d] = err
				continue
			}
			ops = append(ops, steps...)
		}
		if len(ops) == 0 {
			h.last = o.digest
			return repairs, nil
		}
		repairs = append(repairs, h.apply(ops, failed)...)
	}
	return repairs, errors.New("devices do not settle: something else keeps changing them")
}

// step gives an existing macvlan its sysctls, once, and plans the rest.
func (h *Host) step(d *device, o *observation, parents parentConf, configured map[int]bool) ([]string, []op, error) {
	steps, err := plan(h.owner, d, o)
	if err != nil || !d.spec.virtual() || d.index == 0 || configured[d.index] {
		return nil, steps, err
	}
	configured[d.index] = true
	all, err := parents.settings(&d.spec)
	if err != nil {
		return nil, steps, err
	}
	watch := h.settings.Load()
	watch.holdDevice(d, all) // first, or what we write would be taken for damage
	did, err := configure(&d.spec, all.settings, o.byIndex[d.index].conf)
	if len(did) > 0 {
		watch.doubt(d.spec.Name, d.index)
	}
	return did, steps, err
}

// apply carries out ops in as few system calls as possible.
func (h *Host) apply(ops []op, failed map[*device]error) []Repair {
	ipv6 := hasIPv6()
	var requests []*nl.NetlinkRequest
	var of []int
	for i, op := range ops {
		for _, r := range op.requests(h.owner, ipv6) {
			requests, of = append(requests, r), append(of, i)
		}
	}
	bad := map[int]bool{}
	for i, err := range h.conn.Do(requests) {
		if err == nil {
			continue
		}
		op := ops[of[i]]
		if op.harmless(err) {
			continue
		}
		bad[of[i]] = true
		if failed[op.device] == nil {
			failed[op.device] = fmt.Errorf("device %s: %v: %w", op.device.spec.Name, op, err)
		}
	}
	var repairs []Repair
	for i, op := range ops {
		if !bad[i] {
			repairs = append(repairs, Repair{op.device.spec.Name, op.String()})
		}
	}
	return repairs
}

// harmless reports whether an error says that somebody was quicker. For a
// device the next round looks at what is there now.
func (o op) harmless(err error) bool {
	switch o.verb {
	case create, addAddress:
		return errors.Is(err, unix.EEXIST)
	case remove, removeAddress:
		return rtnl.Gone(err)
	}
	return false
}

// enforce sets what interfaces that are not ours need.
func (h *Host) enforce(o *observation) (wants []want, did []string, err error) {
	if wants, err = h.wants(o); err != nil {
		return nil, nil, err
	}
	did, err = h.journal.enforce(wants)
	return wants, did, err
}

func (h *Host) wants(o *observation) ([]want, error) {
	parents, seen := map[string]*link{}, map[*link]bool{}
	for _, d := range h.devices {
		if l := o.byName[d.spec.Parent]; l != nil && !seen[l] && d.spec.virtual() && d.spec.wantsIPv4() {
			seen[l] = true
			for _, beside := range o.beside(l) {
				if beside == l || !h.isOurs(beside) {
					parents[beside.name] = beside
				}
			}
		}
	}
	if len(parents) == 0 {
		return nil, nil
	}
	var wants []want
	for _, name := range slices.Sorted(maps.Keys(parents)) {
		wants = append(wants, parentWants(parents[name])...)
	}
	filter, err := rpFilterWants(o, h.journal, h.isOurs)
	return append(wants, filter...), err
}

// isOurs reports whether a link is a macvlan of this owner.
func (h *Host) isOurs(l *link) bool {
	return l.kind == "macvlan" && (ours(h.owner, l.alias) || h.devices[l.name] != nil)
}

// Reconcile compares all devices and sysctls with what they should be, puts
// right what is not, and says what that was. What somebody else added is left
// alone. A device whose parent does not exist is passed over, when nothing of it
// is left on what had that name. The error is a
// *DeviceError, or several joined with others, where a device is concerned.
func (h *Host) Reconcile() ([]Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	devices := h.standing()
	repairs, broken, err := h.reconcileDevices(devices)
	if err != nil {
		return repairs, fmt.Errorf("reconcile devices: %w", err)
	}
	mended, err := h.mendRest(devices)
	return append(repairs, mended...), errors.Join(err, broken)
}

// Look is Reconcile for who has no reason to believe that something has changed:
// it does not compare devices and their sysctls where a glance says that
// everything is as at the last look, which found nothing to do.
func (h *Host) Look() ([]Repair, error) {
	if !h.unchanged() {
		return h.Reconcile()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mendRest(h.standing())
}

// unchanged reports whether links and addresses are as the last Reconcile found
// them, and it was content with them.
func (h *Host) unchanged() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settled {
		return false
	}
	now, err := glance(h.conn)
	return err == nil && now == h.last
}

// Bare reports whether every device is.
func (h *Host) Bare() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.devices {
		if d.state != Bare || d.falling {
			return false
		}
	}
	return true
}

// standing returns the devices that are not about to be taken down.
func (h *Host) standing() []*device {
	return slices.DeleteFunc(slices.Collect(maps.Values(h.devices)), func(d *device) bool { return d.falling })
}

// reconcileDevices puts devices and sysctls right. What could not be is in broken;
// err is of what concerns all.
func (h *Host) reconcileDevices(devices []*device) (repairs []Repair, broken, err error) {
	failed := map[*device]error{}
	watch := h.settings.Load()
	watch.begin()
	if repairs, err = h.converge(devices, failed); err != nil {
		return repairs, nil, err
	}
	watch.end(func(name string) bool { return h.devices[name] != nil && h.devices[name].falling })
	var errs []error
	for d, err := range failed {
		if !errors.Is(err, ErrNoParent) {
			errs = append(errs, &DeviceError{d.spec.Name, err})
		}
	}
	h.settled = len(repairs) == 0 && len(errs) == 0
	return repairs, errors.Join(errs...), nil
}

// mendRest puts right what is neither a device nor a sysctl.
func (h *Host) mendRest(devices []*device) ([]Repair, error) {
	repairs, err := h.applyPolicy(devices)
	mended, egress := h.applyEgress()
	repairs = append(repairs, mended...)
	mended, refusal := h.mendRefusal()
	return append(repairs, mended...), errors.Join(err, egress, refusal)
}

// A DeviceError says why a device is not as it should be.
type DeviceError struct {
	Device string // as in its Spec
	Err    error
}

// Error returns the text of Err, which names the device.
func (e *DeviceError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *DeviceError) Unwrap() error { return e.Err }

// FailedDevices returns the devices that an error of Reconcile names, and why.
func FailedDevices(err error) map[string]error {
	failed := map[string]error{}
	var of func(err error)
	of = func(err error) {
		switch e := err.(type) { //nolint:errorlint // this is how a tree of errors is walked
		case *DeviceError:
			failed[e.Device] = e.Err
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				of(err)
			}
		}
	}
	of(err)
	return failed
}

// A Concern says what an event means for a Host's devices.
type Concern uint8

// The concerns, from none to certainty.
const (
	Nothing   Concern = iota // Reconcile would find nothing to do
	Suspicion                // it may: the Host was at work, or events were lost
	Damage                   // one of our devices is not as it should be
)

// Concerns says whether an event means that one of our devices is not as it
// should be any more, so that Reconcile has something to do. It does not look
// at the kernel, and knows the traces of the Host's own doings. It does not
// wait: while the Host is at work every event is a Suspicion.
func (h *Host) Concerns(e Event) Concern {
	watch := h.settings.Load()
	moved := watch.heed(e)
	if e.Kind == Resync || !h.mu.TryLock() {
		return Suspicion
	}
	defer h.mu.Unlock()
	for _, d := range h.devices {
		switch {
		case e.Kind == LinkChanged && d.linkConcerns(e):
			return Damage
		case e.Kind == AddressChanged && d.index == e.Index && d.addressConcerns(e):
			return Damage
		case e.Kind == FilterChanged && e.Index == d.index && d.spec.virtual() && e.Filter != 0:
			return Damage
		}
	}
	if moved || e.Kind == FilterChanged && e.Filter != 0 {
		return Suspicion // whether it is in the way, and was it before, takes a look
	}
	return watch.weigh(e)
}

func (d *device) linkConcerns(e Event) bool {
	if !d.spec.virtual() {
		return e.Name == d.spec.Parent && e.Present && e.Index != d.index
	}
	if e.Name == d.spec.Parent {
		return e.Present && d.index == 0 // it has come back
	}
	if e.Name != d.spec.Name {
		return e.Index == d.index && e.Present // ours, renamed
	}
	if !e.Present {
		return e.Index == d.index
	}
	return e.Index != d.index || e.MAC != d.spec.MAC || e.Admin != (d.state != Bare) || e.Muted != (d.state == Muted)
}

func (d *device) addressConcerns(e Event) bool {
	if e.Added {
		return d.state == Bare && (d.spec.virtual() || d.mine[e.Prefix])
	}
	return d.state == Claimed && d.wants(e.Prefix)
}
