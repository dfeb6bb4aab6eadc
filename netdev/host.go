package netdev

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/netdev/policy"
	"holdfast/netdev/rtnl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Options are what a Host needs to know.
type Options struct {
	// RuntimeDir is the directory for the journal of what must be undone. OpenHost
	// makes it if it does not exist.
	RuntimeDir string
	// Owner is the first word of the alias of every device of ours; "holdfast" if
	// empty. Two programs in one network namespace need different owners.
	Owner string
}

// A Host owns virtual devices, their addresses, and the sysctls that they need.
// Any goroutine may call its methods; they run one at a time.
type Host struct {
	owner string
	conn  *rtnl.Conn

	mu      sync.Mutex
	journal *journal
	devices map[string]*device
	indexed map[int][]*device // by interface index; nil: see at
	left    []Spec            // from the journal of a crashed run
	refusal refusal
	policy  *policy.Set
	egress  *policy.Egress

	last    digest // of links and addresses at the last look at all devices
	settled bool   // that look had nothing to do, and nothing was ordered since
	// lastHost is the hostDigest of that look.
	lastHost uint64
	partial  bool // that look did not see everything
	unswept  bool // Sweep failed: Reconcile tries again
	owing    bool // so did giving sysctls back

	localLimit time.Duration // shortened by tests

	shadows []Conflict // rules in the way of ours, at the last look

	settings atomic.Pointer[settingWatch] // nil: nobody watches sysctls
	claims   atomic.Pointer[claims]       // nil: no device yet
}

// A Device is the result of Ensure for one Spec.
type Device struct {
	Name        string
	IfIndex     int // of the macvlan; 0 in interface mode, and if Err is set
	ParentIndex int // 0 if the parent does not exist
	// Leftover says that the device was up or had addresses before this Host
	// touched it: a crashed run was MASTER. Ensure has made it Bare, unless the
	// Spec says Keep.
	Leftover bool
	Err      error
}

// A Repair is something that was not as we left it, and that was put right.
type Repair struct {
	Device string // "" for a sysctl of an interface that is not ours
	Text   string // "add address 10.0.0.100/24"
	// Announce says that the device did not serve its addresses meanwhile, so that
	// neighbours may have learnt another MAC.
	Announce bool
}

// String returns "vrrp4-51: add address 10.0.0.100/24".
func (r Repair) String() string {
	if r.Device == "" {
		return r.Text
	}
	return r.Device + ": " + r.Text
}

// OpenHost returns a Host in the network namespace of the calling thread. It
// changes nothing in the kernel. It takes over the journal of a crashed run.
func OpenHost(o Options) (*Host, error) {
	if o.Owner == "" {
		o.Owner = "holdfast"
	}
	j, err := openJournal(o.RuntimeDir)
	if err != nil {
		return nil, err
	}
	c, err := rtnl.Dial()
	if err != nil {
		return nil, err
	}
	h := &Host{
		owner: o.Owner, conn: c, journal: j,
		devices: map[string]*device{}, left: slices.Clone(j.Devices), refusal: newRefusal(o.Owner, o.RuntimeDir),
		egress: policy.NewEgress(c), localLimit: localLimit,
	}
	h.policy = policy.NewSet(c, func(name string) bool { return h.devices[name] != nil && h.devices[name].state != Bare })
	h.refusal.there = slices.ContainsFunc(h.left, func(s Spec) bool { return s.Refuse })
	return h, nil
}

// Damaged returns why the journal of a crashed run could not be used; nil: it could, or there
// is none. What that run changed in sysctls stays. Its devices are known by their aliases.
func (h *Host) Damaged() error { return h.journal.damaged }

// Left returns the specs of devices from the journal of a crashed run. Not all of
// the devices need exist.
func (h *Host) Left() []Spec { return slices.Clone(h.left) }

// Adopt is the first half of Ensure, for a caller that cannot wait for the second.
// It records specs in the journal, and reports what a crashed run left and which
// devices cannot be made. It changes no device in the kernel. If a device is
// claimed before Ensure has made it, Claim makes it.
func (h *Host) Adopt(specs ...Spec) ([]Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := h.observeFor(specs)
	if err != nil {
		return make([]Device, len(specs)), fmt.Errorf("adopt devices: %w", err)
	}
	f := newFailures()
	result, devices, err := h.take(specs, o, f)
	if err != nil {
		return result, err
	}
	for _, d := range devices {
		if _, err := plan(h.owner, d, o); err != nil {
			f.stop(d, err)
		}
		if !d.left {
			d.index = 0 // a claim must not use the device before it is as it should be
		}
	}
	h.indexed = nil
	return h.report(result, f)
}

// Ensure makes each device exist and be as its Spec says. A new device is Bare. A
// known one keeps its state, and gains or loses addresses. Ensure adopts the
// device of a crashed run, and refuses one that is not ours. The Devices are in
// the order of the specs, and the error joins theirs.
func (h *Host) Ensure(specs ...Spec) ([]Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := h.observeFor(specs)
	if err != nil {
		return make([]Device, len(specs)), fmt.Errorf("ensure devices: %w", err)
	}
	f := newFailures()
	result, devices, err := h.take(specs, o, f)
	if err != nil {
		return result, err
	}
	if _, err := h.converge(devices, f); err != nil {
		return result, fmt.Errorf("ensure devices: %w", err)
	}
	h.prune(devices, f)
	// Reconcile repeats and reports what fails here.
	_, _ = h.applyPolicy(devices)
	_, _ = h.applyEgress()
	_, _ = h.applyRefusal() // for addresses that were removed
	return h.report(result, f)
}

// observeFor looks at the kernel for specs beside the devices that are known.
func (h *Host) observeFor(specs []Spec) (*observation, error) {
	need := h.needs()
	for i := range specs {
		need.names = append(need.names, specs[i].Parent)
		if specs[i].virtual() {
			need.names = append(need.names, specs[i].Name)
		}
	}
	return observe(h.conn, need, dumpTries)
}

// take records specs, and makes the host refuse packets for the addresses of
// those that ask for it, before one of the addresses is there. It returns the
// devices to go on with.
func (h *Host) take(specs []Spec, o *observation, f *failures) ([]Device, []*device, error) {
	h.settled = false
	defer h.publishClaims()
	result := make([]Device, len(specs))
	var devices []*device
	for i, s := range specs {
		result[i].Name = s.Name
		if result[i].Err = s.validate(); result[i].Err == nil {
			d := h.register(s, o)
			h.adopt(d, o)
			result[i].Leftover = d.left
			devices = append(devices, d)
		}
	}
	if err := h.record(); err != nil {
		return result, nil, &ObjectError{Kind: ObjectJournal, Name: h.journal.path, Err: err}
	}
	if _, err := h.applyRefusal(); err != nil {
		devices = stopRefusing(devices, f, err)
	}
	return result, devices, nil
}

// stopRefusing stops the devices whose packets should be refused and cannot be,
// and returns the others.
func stopRefusing(devices []*device, f *failures, err error) []*device {
	return slices.DeleteFunc(devices, func(d *device) bool {
		if d.spec.Refuse {
			f.stop(d, fmt.Errorf("device %s: %w", d.spec.Name, err))
		}
		return d.spec.Refuse
	})
}

// prune forgets addresses that specs no longer name, now that they are removed.
// If one comes back, somebody else added it. The journal on disk may keep more
// addresses than it needs to, so a failure to write it does no harm here.
func (h *Host) prune(devices []*device, f *failures) {
	for _, d := range devices {
		if f.of(d) == nil {
			maps.DeleteFunc(d.mine, func(p netip.Prefix, _ bool) bool { return !d.wants(p) })
		}
	}
	j, before := h.journal, len(h.journal.Addresses)
	j.Addresses = slices.DeleteFunc(j.Addresses, func(a heldAddress) bool {
		return !h.holds(a) && !slices.ContainsFunc(h.left, func(s Spec) bool { return h.devices[s.Name] == nil })
	})
	if len(j.Addresses) != before {
		_ = j.save()
	}
}

func (h *Host) report(result []Device, f *failures) ([]Device, error) {
	var errs []error
	for i := range result {
		r := &result[i]
		if d := h.devices[r.Name]; d != nil && r.Err == nil {
			r.Err, r.ParentIndex = f.of(d), d.parent
			if d.spec.virtual() && r.Err == nil {
				r.IfIndex = d.index
			}
		}
		errs = append(errs, r.Err)
	}
	return result, errors.Join(errs...)
}

// register puts a spec into the table of devices.
func (h *Host) register(s Spec, o *observation) *device {
	h.indexed = nil
	d := h.devices[s.Name]
	if d == nil {
		d = newDevice()
		h.devices[s.Name] = d
	}
	d.recorded = d.recorded && s.virtual() && reflect.DeepEqual(d.spec, s)
	moved := d.spec.Parent != s.Parent || d.spec.MAC != s.MAC
	if d.seen && moved {
		h.retire(d, o)
		d.seen, d.ready, d.mine = false, false, map[netip.Prefix]bool{}
	}
	d.spec = s
	d.spec.Addresses = slices.Clone(s.Addresses)
	if parent := o.byName[s.Parent]; parent != nil && !s.virtual() {
		d.index = parent.index
	}
	for _, a := range s.Addresses {
		if !h.foreignAddress(d, a.Prefix, o) {
			d.mine[a.Prefix] = true
		}
	}
	return d
}

// retire removes what a device has on its former parent. Errors show when the
// device is planned on its new parent.
func (h *Host) retire(d *device, o *observation) {
	if !d.spec.virtual() {
		h.conn.Do(h.releaseRequests(nil, d))
		return
	}
	if have := o.byName[d.spec.Name]; have != nil && foreign(h.owner, d, have) == nil {
		h.conn.Do([]*nl.NetlinkRequest{linkRequest(unix.RTM_DELLINK, 0, have.index, 0, 0)})
	}
}

// foreignAddress reports whether, in interface mode, the parent has an address
// that neither we nor a crashed run added.
func (h *Host) foreignAddress(d *device, p netip.Prefix, o *observation) bool {
	parent := o.byName[d.spec.Parent]
	if d.spec.virtual() || parent == nil || d.mine[p] {
		return false
	}
	for _, a := range o.addresses[parent.index] {
		if a.prefix == p {
			held := slices.Contains(h.journal.Addresses, heldAddress{parent.index, p})
			return a.protocol != AddressProtocol && !held
		}
	}
	return false
}

// adopt finds out whether a crashed run left a device as MASTER, when the device is
// new to us, and sets the state that the device is to have.
func (h *Host) adopt(d *device, o *observation) {
	if d.seen {
		return
	}
	d.seen, d.left = true, false
	at := o.byName[d.spec.Parent]
	if d.spec.virtual() {
		at = o.byName[d.spec.Name]
	}
	switch {
	case at == nil:
	case d.spec.virtual():
		d.left = foreign(h.owner, d, at) == nil && (at.flags&unix.IFF_UP != 0 || len(o.addresses[at.index]) > 0)
	default:
		d.left = slices.ContainsFunc(o.addresses[at.index], func(a address) bool { return d.mine[a.prefix] })
	}
	if d.left && d.spec.Keep {
		d.state = Claimed
	}
}

// record writes to the journal what a crash would leave behind, unless it is
// there. A device is recorded once the journal on disk names it.
func (h *Host) record() error {
	unrecorded := slices.DeleteFunc(h.all(), func(d *device) bool { return d.recorded })
	if len(unrecorded) == 0 && !h.journal.behind {
		return nil
	}
	j := h.journal
	j.Devices = slices.DeleteFunc(j.Devices, func(s Spec) bool { return h.devices[s.Name] != nil })
	for _, d := range h.devices {
		j.Devices = append(j.Devices, d.spec)
		if d.spec.virtual() || d.index == 0 {
			continue
		}
		for p := range d.mine {
			if held := (heldAddress{d.index, p}); !slices.Contains(j.Addresses, held) {
				j.Addresses = append(j.Addresses, held)
			}
		}
	}
	slices.SortFunc(j.Devices, func(a, b Spec) int { return strings.Compare(a.Name, b.Name) })
	if err := j.save(); err != nil {
		return err
	}
	for _, d := range unrecorded {
		d.recorded = true
	}
	return nil
}
