package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/netdev/rtnl"
	"holdfast/netdev/sysctl"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxRounds bounds how often converge looks again. A device that has to be
// removed, made and given addresses needs three rounds.
const maxRounds = 5

// errUnsettled is the error of devices that somebody else keeps changing.
var errUnsettled = errors.New("devices do not settle: something else keeps changing them")

// converge brings devices to their specs and states, and the sysctls to the
// values that they need: it looks, plans and applies until nothing is left to do.
// What cannot be done is recorded in f by object. The error says that the kernel
// could not be looked at.
func (h *Host) converge(devices []*device, f *failures) ([]Repair, error) {
	h.settled = false
	defer func() { h.indexed = nil }()
	var repairs []Repair
	parents, configured := parentConf{}, map[int]bool{}
	var o *observation
	var wants []want
	h.persist(devices, f)
	defer func() { h.settings.Load().holdInterfaces(o, wants, parents) }()
	for round := range maxRounds {
		var err error
		if o, err = observe(h.conn, h.needs(), dumpTries); err != nil {
			return repairs, whole(ObjectTables, err)
		}
		if round == 0 {
			var did []string
			wants, did = h.enforce(o, devices, f)
			for _, text := range did {
				repairs = append(repairs, Repair{Text: text})
			}
		}
		var ops []op
		for _, d := range devices {
			if f.stopped[d] {
				continue
			}
			did, steps := h.step(d, o, parents, configured, f)
			for _, text := range did {
				repairs = append(repairs, Repair{Device: d.spec.Name, Text: text})
			}
			ops = append(ops, steps...)
		}
		if slices.ContainsFunc(ops, func(o op) bool { return !o.device.recorded }) { // its parent has another index now
			h.persist(devices, f)
			ops = slices.DeleteFunc(ops, func(o op) bool { return f.stopped[o.device] })
		}
		if len(ops) == 0 {
			h.last, h.lastHost, h.partial = o.digest, hostDigest(), o.partial()
			return repairs, nil
		}
		repairs = append(repairs, h.apply(ops, f)...)
	}
	return repairs, whole(ObjectDevice, errUnsettled)
}

// persist writes the journal if it is behind. Devices that are not in the journal
// on disk must not be touched: after a crash nobody would know of them.
func (h *Host) persist(devices []*device, f *failures) {
	err := h.record()
	if err == nil {
		return
	}
	f.objects = append(f.objects, &ObjectError{Kind: ObjectJournal, Name: h.journal.path, Err: err})
	for _, d := range devices {
		if !d.recorded {
			f.stop(d, fmt.Errorf("device %s: %w", d.spec.Name, err))
		}
	}
}

// step gives an existing macvlan its sysctls, once in a pass, and returns the
// other steps that have not been tried in vain.
func (h *Host) step(d *device, o *observation, parents parentConf, configured map[int]bool, f *failures) (did []string, steps []op) {
	steps, err := plan(h.owner, d, o)
	if err != nil {
		f.stop(d, err)
		return nil, nil
	}
	steps = slices.DeleteFunc(steps, func(s op) bool { return f.tried[s.key()] })
	if !d.spec.virtual() || d.index == 0 || configured[d.index] {
		return nil, steps
	}
	configured[d.index] = true
	did, errs := h.configure(d, o, parents)
	if len(errs) == 0 {
		d.ready = true
		return did, steps
	}
	f.objects = append(f.objects, errs...)
	if !d.ready {
		// A device that never had its sysctls would draw traffic to the wrong MAC.
		f.stop(d, errs[0].Err)
		return did, nil
	}
	return did, steps
}

// configure gives a macvlan its sysctls.
func (h *Host) configure(d *device, o *observation, parents parentConf) (did []string, errs []*ObjectError) {
	all, err := parents.settings(&d.spec, o.byIndex[d.index].narrow())
	if err != nil {
		return nil, []*ObjectError{{ObjectSysctl, d.spec.Name, d.spec.Name, err}}
	}
	watch := h.settings.Load()
	watch.holdDevice(d, all) // before the writes, which would be taken for damage
	did, errs = configure(&d.spec, all.settings, o.byIndex[d.index].conf)
	if len(did) > 0 {
		watch.doubt(d.spec.Name, d.index)
	}
	return did, errs
}

// apply carries out ops in as few system calls as possible.
func (h *Host) apply(ops []op, f *failures) []Repair {
	ipv6 := sysctl.HasIPv6()
	var requests []*nl.NetlinkRequest
	var of []int
	for i, op := range ops {
		for _, r := range op.requests(h.owner, ipv6 && !op.narrow) {
			requests, of = append(requests, r), append(of, i)
		}
	}
	bad := map[int]bool{}
	for i, err := range h.conn.Do(requests) {
		op := &ops[of[i]]
		if err == nil || op.harmless(err) || bad[of[i]] {
			continue
		}
		bad[of[i]] = true
		f.refused(op, err)
	}
	var repairs []Repair
	for i, op := range ops {
		if !bad[i] {
			repairs = append(repairs, Repair{op.device.spec.Name, op.String(), op.verb != remove && op.verb != removeAddress})
		}
	}
	return repairs
}

// harmless reports whether an error says that somebody else has done the same.
// The next round looks at what is there now.
func (o op) harmless(err error) bool {
	switch o.verb {
	case create, addAddress:
		return errors.Is(err, unix.EEXIST)
	case remove, removeAddress:
		return rtnl.Gone(err)
	}
	return false
}

// needs lists the interfaces that the Host must not be wrong about.
func (h *Host) needs() needs {
	var n needs
	seen := map[string]bool{}
	for _, d := range h.devices {
		for _, name := range []string{d.on(), d.spec.Parent} {
			if !seen[name] {
				seen[name] = true
				n.names = append(n.names, name)
			}
		}
		for _, index := range []int{d.index, d.parent} {
			if index != 0 {
				n.indexes = append(n.indexes, index)
			}
		}
	}
	for _, a := range h.journal.Addresses {
		n.indexes = append(n.indexes, a.IfIndex)
	}
	return n
}

// enforce sets the sysctls that interfaces that are not ours need. Devices that
// never had theirs right are stopped if that fails.
func (h *Host) enforce(o *observation, devices []*device, f *failures) (wants []want, did []string) {
	wants, err := h.wants(o)
	var errs []*ObjectError
	if err != nil {
		errs = append(errs, &ObjectError{Kind: ObjectSysctl, Name: "net.ipv4.conf.all.rp_filter", Err: err})
	}
	did, failed := h.journal.enforce(wants)
	errs = append(errs, failed...)
	f.objects = append(f.objects, errs...)
	for _, d := range devices {
		if len(errs) > 0 && !d.ready && d.spec.virtual() && d.spec.wantsIPv4() && !f.stopped[d] {
			f.stop(d, errs[0].Err)
		}
	}
	return wants, did
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
