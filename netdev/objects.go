package netdev

import (
	"errors"
	"fmt"
	"strings"
)

// The kinds of objects that an ObjectError is about.
const (
	ObjectDevice    = "device"    // a macvlan: it does not exist, or is not as it should be
	ObjectAddress   = "address"   // a virtual address on it, or on the interface itself
	ObjectSysctl    = "sysctl"    // of a device or of another interface
	ObjectRoutes    = "routes"    // routes, rules and tables of egress
	ObjectFirewall  = "nftables"  // the table that refuses packets
	ObjectJournal   = "journal"   // the file in the runtime directory
	ObjectLeftovers = "leftovers" // what a crashed run left
	ObjectTables    = "kernel"    // links and addresses could not be read
)

// An ObjectError says that one object is not as it should be and could not be
// repaired. The Host repairs every object by itself, so that one failure hides
// no other.
type ObjectError struct {
	Kind   string // one of the constants
	Name   string // "vrrp4-51", "10.0.0.100/24", "net.ipv4.conf.eth0.arp_ignore"
	Device string // the name of the Spec that it belongs to; "" if it belongs to several
	Err    error
}

// Error returns the text of Err, which names the object.
func (e *ObjectError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *ObjectError) Unwrap() error { return e.Err }

// Failures returns the objects that an error of Reconcile names.
func Failures(err error) []*ObjectError {
	switch e := err.(type) { //nolint:errorlint // this walks the tree of errors
	case nil:
		return nil
	case *ObjectError:
		return []*ObjectError{e}
	case interface{ Unwrap() []error }:
		var all []*ObjectError
		for _, err := range e.Unwrap() {
			all = append(all, Failures(err)...)
		}
		return all
	}
	return Failures(errors.Unwrap(err))
}

// FailedDevices returns the devices that an error of Reconcile names because they
// or their addresses are not as they should be, and why. It leaves out failures
// that do not keep a device from serving its addresses.
func FailedDevices(err error) map[string]error {
	failed := map[string]error{}
	for _, o := range Failures(err) {
		if o.Device != "" && (o.Kind == ObjectDevice || o.Kind == ObjectAddress) {
			failed[o.Device] = errors.Join(failed[o.Device], o.Err)
		}
	}
	return failed
}

// failures collects the errors of one pass over devices.
type failures struct {
	objects []*ObjectError
	stopped map[*device]bool // no further step of the pass is of use
	tried   map[opKey]bool   // the kernel refused this step
}

func newFailures() *failures {
	return &failures{stopped: map[*device]bool{}, tried: map[opKey]bool{}}
}

// stop records that a device cannot be brought to its state at all.
func (f *failures) stop(d *device, err error) {
	f.stopped[d] = true
	f.objects = append(f.objects, &ObjectError{ObjectDevice, d.spec.Name, d.spec.Name, err})
}

// refused records a step that the kernel refused.
func (f *failures) refused(o *op, err error) {
	f.tried[o.key()] = true
	if o.verb == create || o.verb == remove {
		f.stopped[o.device] = true // nothing else can be done without it
	}
	e := &ObjectError{ObjectDevice, o.device.spec.Name, o.device.spec.Name, nil}
	if o.verb == addAddress || o.verb == removeAddress {
		e.Kind, e.Name = ObjectAddress, o.prefix.String()
	}
	e.Err = fmt.Errorf("device %s: %v: %w", o.device.spec.Name, o, err)
	f.objects = append(f.objects, e)
}

// of returns what keeps a device from its state, nil if nothing does.
func (f *failures) of(d *device) error {
	var errs []error
	for _, o := range f.objects {
		if o.Device == d.spec.Name && (o.Kind == ObjectDevice || o.Kind == ObjectAddress) {
			errs = append(errs, o.Err)
		}
	}
	return errors.Join(errs...)
}

// join returns all failures as one error, without those of devices whose parent
// does not exist.
func (f *failures) join() error {
	var errs []error
	for _, o := range f.objects {
		if !errors.Is(o, ErrNoParent) {
			errs = append(errs, o)
		}
	}
	return errors.Join(errs...)
}

// whole wraps an error that concerns one kind of objects altogether.
func whole(kind string, err error) error {
	if err == nil {
		return nil
	}
	return &ObjectError{Kind: kind, Name: kind, Err: err}
}

// sentence joins names as "a, b and c".
func sentence(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
