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
	// RuntimeDir holds the journal of what must be undone. It is made if it
	// does not exist.
	RuntimeDir string
	// Owner begins the alias of every device of ours, "holdfast" if empty. Two
	// programs in one network namespace need different owners.
	Owner string
}

// A Host owns virtual devices, their addresses, and the sysctls they need. Its
// methods may be called from any goroutine; they run one at a time.
type Host struct {
	owner string
	conn  *rtnl.Conn

	mu      sync.Mutex
	journal *journal
	devices map[string]*device
	left    []Spec // what the journal of a former run named
	refusal refusal
	policy  *policy.Set
	egress  *policy.Egress

	unwritten bool // there are specs that the journal is to be told of

	last    digest // of the last look at all devices,
	settled bool   // which found nothing to do, and nothing is to be otherwise since

	localLimit time.Duration // for tests

	settings atomic.Pointer[settingWatch] // nil: nobody wants to hear of them
}

// A Device is what Ensure made of a Spec.
type Device struct {
	Name        string
	IfIndex     int // of the macvlan; in interface mode, and if Err is set, 0
	ParentIndex int // 0 if the parent does not exist
	// Leftover says that the device was up, or that its addresses were there,
	// before this Host touched it: a crashed run was MASTER. Unless the Spec
	// says Keep it has been made Bare.
	Leftover bool
	Err      error
}

// A Repair is something that was not as it was left, and was put right.
type Repair struct {
	Device string // "" for a sysctl of an interface that is not ours
	Text   string // "add address 10.0.0.100/24"
}

// String returns "vrrp4-51: add address 10.0.0.100/24".
func (r Repair) String() string {
	if r.Device == "" {
		return r.Text
	}
	return r.Device + ": " + r.Text
}

// OpenHost returns a Host in the network namespace of the calling thread. It
// changes nothing. If a run crashed, its journal is taken over.
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

// Left returns the devices of a crashed run, as its journal names them: which
// of them exist, and in which state, it does not say.
func (h *Host) Left() []Spec { return slices.Clone(h.left) }

// Adopt is the first half of Ensure, for who cannot wait for the second: it takes
// specs into the table and the journal and says what a former run left, and which
// devices cannot be had as things are. The kernel's devices stay as they are.
// Until Ensure has made a device, a Claim does.
func (h *Host) Adopt(specs ...Spec) ([]Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := observe(h.conn)
	if err != nil {
		return make([]Device, len(specs)), fmt.Errorf("adopt devices: %w", err)
	}
	failed := map[*device]error{}
	result, devices, err := h.take(specs, o, failed)
	if err != nil {
		return result, err
	}
	for _, d := range devices {
		if _, failed[d] = plan(h.owner, d, o); !d.left {
			d.index = 0 // nobody gets at it before it is as it should be
		}
	}
	return h.report(result, failed)
}

// Ensure makes each device exist and be as its Spec says. A new one is Bare; one that
// is known already keeps its state and gets or loses addresses. A device of a
// former run is adopted. One that is not ours is an error. The Devices are in
// the order of the specs; the error joins theirs.
func (h *Host) Ensure(specs ...Spec) ([]Device, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, err := observe(h.conn)
	if err != nil {
		return make([]Device, len(specs)), fmt.Errorf("ensure devices: %w", err)
	}
	failed := map[*device]error{}
	result, devices, err := h.take(specs, o, failed)
	if err != nil {
		return result, err
	}
	if _, err := h.converge(devices, failed); err != nil {
		return result, fmt.Errorf("ensure devices: %w", err)
	}
	if err := h.prune(devices, failed); err != nil {
		return result, err
	}
	_, _ = h.applyPolicy(devices) // as for Claim
	_, _ = h.applyEgress()
	_, _ = h.mendRefusal() // addresses that are off now
	return h.report(result, failed)
}

// take takes specs into table and journal, and has the host refuse packets for
// the addresses of which that is wanted, before one of them is on. It returns the
// devices that can be gone on with.
func (h *Host) take(specs []Spec, o *observation, failed map[*device]error) ([]Device, []*device, error) {
	h.settled = false
	result := make([]Device, len(specs))
	var devices []*device
	for i, s := range specs {
		result[i].Name = s.Name
		if result[i].Err = s.validate(); result[i].Err == nil {
			d, changed := h.register(s, o)
			h.adopt(d, o)
			result[i].Leftover = d.left
			devices, h.unwritten = append(devices, d), h.unwritten || changed
		}
	}
	if h.unwritten {
		if err := h.record(); err != nil {
			return result, nil, err
		}
		h.unwritten = false
	}
	if _, err := h.mendRefusal(); err != nil {
		devices = refuseNone(devices, failed, err)
	}
	return result, devices, nil
}

// refuseNone notes the failure of those devices whose packets cannot be
// refused, and returns the others.
func refuseNone(devices []*device, failed map[*device]error, err error) []*device {
	return slices.DeleteFunc(devices, func(d *device) bool {
		if d.spec.Refuse {
			failed[d] = fmt.Errorf("device %s: %w", d.spec.Name, err)
		}
		return d.spec.Refuse
	})
}

// prune forgets addresses that specs no longer name, now that they are off:
// should they come back, somebody else put them there.
func (h *Host) prune(devices []*device, failed map[*device]error) error {
	for _, d := range devices {
		if failed[d] == nil {
			maps.DeleteFunc(d.mine, func(p netip.Prefix, _ bool) bool { return !d.wants(p) })
		}
	}
	j, before := h.journal, len(h.journal.Addresses)
	j.Addresses = slices.DeleteFunc(j.Addresses, func(a heldAddress) bool {
		return !h.holds(a) && !slices.ContainsFunc(h.left, func(s Spec) bool { return h.devices[s.Name] == nil })
	})
	if len(j.Addresses) == before {
		return nil
	}
	return j.save()
}

func (h *Host) report(result []Device, failed map[*device]error) ([]Device, error) {
	var errs []error
	for i := range result {
		r := &result[i]
		if d := h.devices[r.Name]; d != nil && r.Err == nil {
			r.Err, r.ParentIndex = failed[d], d.parent
			if d.spec.virtual() && r.Err == nil {
				r.IfIndex = d.index
			}
		}
		errs = append(errs, r.Err)
	}
	return result, errors.Join(errs...)
}

// register takes a spec into the table, and reports whether the journal is to be
// told of it.
func (h *Host) register(s Spec, o *observation) (d *device, news bool) {
	d = h.devices[s.Name]
	if d == nil {
		d = newDevice()
		h.devices[s.Name] = d
	}
	news = !s.virtual() || !d.seen || !reflect.DeepEqual(d.spec, s)
	moved := d.spec.Parent != s.Parent || d.spec.MAC != s.MAC
	if d.seen && moved {
		h.retire(d, o)
		d.seen, d.mine = false, map[netip.Prefix]bool{}
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
	return d, news
}

// retire takes away what a device has at its old place. Errors show in the
// plan of its new place.
func (h *Host) retire(d *device, o *observation) {
	if !d.spec.virtual() {
		h.conn.Do(h.releaseRequests(nil, d))
		return
	}
	if have := o.byName[d.spec.Name]; have != nil && foreign(h.owner, d, have) == nil {
		h.conn.Do([]*nl.NetlinkRequest{linkRequest(unix.RTM_DELLINK, 0, have.index, 0, 0)})
	}
}

// foreignAddress reports whether, in interface mode, an address is on the
// parent that neither we nor a crashed run put there.
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

// adopt notes whether a device that is new to us is one that a former run left as
// MASTER, and sets the state it is to have.
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

// record writes to the journal what could be left behind.
func (h *Host) record() error {
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
	return j.save()
}
