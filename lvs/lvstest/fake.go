// Package lvstest provides an IPVS table in memory, for tests. It refuses the same
// changes as the kernel's.
package lvstest

import (
	"fmt"
	"slices"
	"strings"
	"syscall"

	"holdfast/lvs"
)

// A Fake is an IPVS table in memory and a [lvs.Kernel]. The zero Fake is empty.
type Fake struct {
	// Fail, if not nil, is called before every change. If it returns an error, Do
	// returns that error and makes no change.
	Fail func(lvs.Op) error
	// Looked, if not nil, is called at the end of every Dump. It may change the
	// table, as another program may do between a dump and the changes after it.
	Looked func()
	// Ops are the changes that Do has made, in order.
	Ops []lvs.Op
	// Schedulers are the schedulers that Do accepts; nil accepts all.
	Schedulers []string
	// SyncRunning makes Do refuse servers of another address family than their
	// service, as the kernel does while a sync daemon runs.
	SyncRunning bool

	services map[lvs.Key]*entry
}

type entry struct {
	service lvs.Service
	servers []lvs.Server
}

var _ lvs.Kernel = (*Fake)(nil)

// Dump returns the content of the table, in random order.
func (f *Fake) Dump() ([]lvs.Wanted, error) {
	var all []lvs.Wanted
	for _, e := range f.services {
		all = append(all, lvs.Wanted{Service: e.service, Servers: slices.Clone(e.servers)})
	}
	if f.Looked != nil {
		f.Looked()
	}
	return all, nil
}

// Do makes each change, or returns the kernel's error number for it (EEXIST, ESRCH,
// ENOENT, EINVAL or ERANGE), wrapped with the error of package lvs that has its
// meaning.
func (f *Fake) Do(ops ...lvs.Op) []error {
	errs := make([]error, len(ops))
	for i, op := range ops {
		errs[i] = f.try(op)
	}
	return errs
}

func (f *Fake) try(op lvs.Op) error {
	if f.Fail != nil {
		if err := f.Fail(op); err != nil {
			return err
		}
	}
	if f.services == nil {
		f.services = make(map[lvs.Key]*entry)
	}
	if err := f.do(op); err != nil {
		return err
	}
	f.Ops = append(f.Ops, op)
	return nil
}

func (f *Fake) do(op lvs.Op) error {
	key := op.Service.Key
	e := f.services[key]
	switch {
	case op.Verb == lvs.AddService && e != nil:
		return refuse(lvs.ErrExists, syscall.EEXIST)
	case op.Verb != lvs.AddService && e == nil:
		return refuse(lvs.ErrNoService, syscall.ESRCH)
	case op.Verb.Server():
		return f.doServer(e, op)
	case op.Verb == lvs.DeleteService:
		delete(f.services, key)
		return nil
	case f.Schedulers != nil && !slices.Contains(f.Schedulers, op.Service.Scheduler):
		return refuse(lvs.ErrNoScheduler, syscall.ENOENT)
	case op.Service != op.Service.Canonical():
		return fmt.Errorf("service %v is not in canonical form: %w", key, syscall.EINVAL)
	case e == nil:
		f.services[key] = &entry{service: op.Service}
	default:
		e.service = op.Service
	}
	return nil
}

func (f *Fake) doServer(e *entry, op lvs.Op) error {
	s := op.Server
	i, found := slices.BinarySearchFunc(e.servers, s, func(a, b lvs.Server) int {
		return a.Address.Compare(b.Address)
	})
	if op.Verb != lvs.DeleteServer {
		if err := f.check(e.service, s); err != nil {
			return err
		}
	}
	switch {
	case op.Verb == lvs.AddServer && found:
		return refuse(lvs.ErrExists, syscall.EEXIST)
	case op.Verb != lvs.AddServer && !found:
		return refuse(lvs.ErrNoServer, syscall.ENOENT)
	case op.Verb == lvs.AddServer:
		e.servers = slices.Insert(e.servers, i, s)
	case op.Verb == lvs.EditServer:
		e.servers[i] = s
	default:
		e.servers = slices.Delete(e.servers, i, i+1)
	}
	return nil
}

// check returns the error of ip_vs_genl_set_cmd, ip_vs_add_dest and ip_vs_edit_dest
// for a server (net/netfilter/ipvs/ip_vs_ctl.c).
func (f *Fake) check(service lvs.Service, s lvs.Server) error {
	mixed := s.Address.Addr().Is6() != service.Key.IPv6
	switch {
	case s != s.Canonical():
		return fmt.Errorf("server %v is not in canonical form: %w", s.Address, syscall.EINVAL)
	case mixed && (f.SyncRunning || s.Forward != lvs.TUN):
		return syscall.EINVAL
	case s.Weight < 0, s.Lower > s.Upper:
		return syscall.ERANGE
	case s.Tunnel.Type == lvs.GUE && s.Tunnel.Port == 0:
		return syscall.EINVAL
	}
	return nil
}

func refuse(sentinel error, errno syscall.Errno) error {
	return fmt.Errorf("%w (%w)", sentinel, errno)
}

// String returns the table in the form of ipvsadm -Sn, but with thresholds.
// Services are sorted by key, servers by address.
func (f *Fake) String() string {
	var keys []lvs.Key
	for key := range f.services {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, lvs.Key.Compare)
	var b strings.Builder
	for _, key := range keys {
		e := f.services[key]
		print(&b, lvs.Op{Verb: lvs.AddService, Service: e.service})
		for _, s := range e.servers {
			print(&b, lvs.Op{Verb: lvs.AddServer, Service: e.service, Server: s})
		}
	}
	return b.String()
}

func print(b *strings.Builder, op lvs.Op) {
	b.WriteString(strings.TrimPrefix(op.String(), "ipvsadm ") + "\n")
}
