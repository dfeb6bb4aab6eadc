package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"holdfast/netdev/sysctl"
)

// A want is the value that a sysctl of an interface that is not ours must have.
type want struct {
	key   string
	index int // of the interface in the key; 0 for all and default
	value string
	fine  func(string) bool // accepts other values that will do
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func atLeast(n int) func(string) bool {
	return func(v string) bool { i, err := strconv.Atoi(v); return err == nil && i >= n }
}

// parentWants returns the sysctls of an interface below IPv4 macvlans of ours. The
// interface must not answer ARP for their addresses with its own MAC. And it must
// not name one of them as the sender of its own ARP requests, because neighbours
// would overwrite their entries. Stricter values are kept. arp_filter is not set:
// it would stop answers for the director's own address whenever the route back
// is the macvlan's.
func parentWants(l *link) []want {
	return []want{
		{sysctl.Key("ipv4", l.name, "arp_ignore"), l.index, "1", oneOf("1", "2", "8")},
		{sysctl.Key("ipv4", l.name, "arp_announce"), l.index, "2", atLeast(2)},
	}
}

// rpFilterWants returns the sysctls that switch strict reverse path filtering off
// on our macvlans and nowhere else. The kernel uses the maximum of `all` and the
// interface's own value. Strict filtering drops every packet to a virtual address,
// because the route back is the parent's. So if `all` is 1 it must become 0, but
// only after every other interface, and `default` for new ones, has at least 1.
func rpFilterWants(o *observation, j *journal, isOurs func(*link) bool) ([]want, error) {
	all := sysctl.Key("ipv4", "all", "rp_filter")
	now, err := sysctl.Read(all)
	if err != nil {
		return nil, err
	}
	if now != "1" && j.record(all, 0) == nil {
		return nil, nil
	}
	wants := []want{{sysctl.Key("ipv4", "default", "rp_filter"), 0, "1", atLeast(1)}}
	for _, l := range o.byIndex {
		if !isOurs(l) {
			wants = append(wants, want{sysctl.Key("ipv4", l.name, "rp_filter"), l.index, "1", atLeast(1)})
		}
	}
	return append(wants, want{all, 0, "0", func(v string) bool { return v != "1" }}), nil
}

// A change is a sysctl that has another value than it must have.
type change struct {
	want
	was string
}

// enforce gives sysctls the values that wants name, in order, and returns what it
// changed, in words. A sysctl that cannot be set does not keep the others from
// being set. The former value of each is in the journal on disk before it is
// changed; while the journal cannot be written, nothing is changed that is not in
// it.
func (j *journal) enforce(wants []want) (did []string, failed []*ObjectError) {
	unfiltered := false // an interface without a value of its own for rp_filter
	fail := func(key string, err error) {
		unfiltered = unfiltered || strings.HasSuffix(key, "/rp_filter")
		failed = append(failed, &ObjectError{Kind: ObjectSysctl, Name: sysctl.Name(key), Err: err})
	}
	var changes []change
	for _, w := range wants {
		now, err := sysctl.Read(w.key)
		switch {
		case errors.Is(err, fs.ErrNotExist) && w.index != 0: // the interface is gone
		case err != nil:
			fail(w.key, err)
		case !w.fine(now) && now != w.value:
			changes = append(changes, change{w, now})
		}
	}
	if err := j.recordChanges(changes); err != nil {
		failed = append(failed, &ObjectError{Kind: ObjectJournal, Name: j.path, Err: err})
	}
	for _, c := range changes {
		switch {
		case j.record(c.key, c.index) == nil:
			fail(c.key, fmt.Errorf("%s is %s and should be %s: it is not changed, because the journal cannot be written",
				sysctl.Name(c.key), c.was, c.value))
		case c.index == 0 && c.value == "0" && unfiltered:
			// all.rp_filter: other interfaces would lose their filter by it.
			fail(c.key, fmt.Errorf("%s is not set to 0 before all other interfaces have a value of their own", sysctl.Name(c.key)))
		default:
			if err := sysctl.Write(c.key, c.value); err != nil {
				fail(c.key, err)
				continue
			}
			did = append(did, fmt.Sprintf("%s was %s: set to %s", sysctl.Name(c.key), c.was, c.value))
		}
	}
	return did, failed
}

// recordChanges adds the former values to the journal and saves it. If that fails
// it takes out again what is not on disk.
func (j *journal) recordChanges(changes []change) error {
	news := false
	for _, c := range changes {
		if j.record(c.key, c.index) == nil {
			j.Sysctls = append(j.Sysctls, record{Key: c.key, IfIndex: c.index, Was: c.was, Set: c.value, unsaved: true})
			news = true
		}
	}
	if !news {
		return nil
	}
	err := j.save()
	if err != nil {
		j.Sysctls = slices.DeleteFunc(j.Sysctls, func(r record) bool { return r.unsaved })
	}
	return err
}

// restore sets all sysctls that wants does not name to their former values, newest
// first. It leaves a sysctl that somebody else has changed since.
func (j *journal) restore(o *observation, wants []want) error {
	var errs []error
	kept := j.Sysctls[:0:0]
	for _, r := range slices.Backward(j.Sysctls) {
		if slices.ContainsFunc(wants, func(w want) bool { return r.is(w.key, w.index) }) {
			kept = append(kept, r)
			continue
		}
		if err := restoreOne(o, r); err != nil {
			errs = append(errs, err)
			kept = append(kept, r)
		}
	}
	slices.Reverse(kept)
	if len(kept) != len(j.Sysctls) {
		j.Sysctls = kept
		errs = append(errs, j.save())
	}
	return errors.Join(errs...)
}

func restoreOne(o *observation, r record) error {
	key := r.Key
	if r.IfIndex != 0 {
		l := o.byIndex[r.IfIndex]
		if l == nil {
			return nil // the interface is gone, and its sysctls with it
		}
		parts := strings.Split(key, "/") // the interface may have been renamed
		key = sysctl.Key(parts[0], l.name, parts[len(parts)-1])
	}
	now, err := sysctl.Read(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || now != r.Set {
		return err
	}
	return sysctl.Write(key, r.Was)
}
