// Package recorder provides an IPVS table in memory that writes down when it was
// changed. It stands in for the kernel's where the time of changes is measured, under
// loads of checks that need no IPVS.
package recorder

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"holdfast/lvs"
)

// A Table is an IPVS table in memory. It carries no connections. Its methods may be
// called by several goroutines at once.
type Table struct {
	now func() time.Time

	mu       sync.Mutex
	record   io.WriteCloser
	services map[lvs.Key]*lvs.Wanted
	daemons  []lvs.SyncDaemon
	timeouts lvs.Timeouts
	sysctls  map[string]string
}

// Open returns an empty table whose changes are appended to the file at path, one a
// line: the time in nanoseconds since 1970, and the ipvsadm command for the change.
func Open(path string) (*Table, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("record the changes of the IPVS table: %w", err)
	}
	return newTable(file, time.Now), nil
}

func newTable(record io.WriteCloser, now func() time.Time) *Table {
	return &Table{
		now: now, record: record, services: make(map[lvs.Key]*lvs.Wanted), sysctls: make(map[string]string),
		timeouts: lvs.Timeouts{TCP: 15 * time.Minute, TCPFin: 2 * time.Minute, UDP: 5 * time.Minute},
	}
}

// Dump implements lvs.Kernel. The services are sorted by key.
func (t *Table) Dump() ([]lvs.Wanted, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]lvs.Wanted, 0, len(t.services))
	for _, w := range t.services {
		all = append(all, lvs.Wanted{Service: w.Service, Servers: slices.Clone(w.Servers)})
	}
	slices.SortFunc(all, func(a, b lvs.Wanted) int { return a.Service.Key.Compare(b.Service.Key) })
	return all, nil
}

// Usage is Dump, with counters that are all 0.
func (t *Table) Usage() ([]lvs.Usage, error) {
	all, err := t.Dump()
	usage := make([]lvs.Usage, len(all))
	for i, w := range all {
		usage[i] = lvs.Usage{Service: w.Service, Servers: make([]lvs.ServerUsage, len(w.Servers))}
		for j, s := range w.Servers {
			usage[i].Servers[j].Server = s
		}
		slices.SortFunc(usage[i].Servers, func(a, b lvs.ServerUsage) int { return a.Server.Address.Compare(b.Server.Address) })
	}
	return usage, err
}

// Do implements lvs.Kernel. The time of a change is when it was made, one after the
// other. An error of writing it down is the error of the change.
func (t *Table) Do(ops ...lvs.Op) []error {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := bufio.NewWriter(t.record)
	errs := make([]error, len(ops))
	for i, op := range ops {
		if errs[i] = t.do(op); errs[i] == nil {
			_, errs[i] = fmt.Fprintf(out, "%d %v\n", t.now().UnixNano(), op)
		}
	}
	if err := out.Flush(); err != nil && len(ops) > 0 {
		errs[len(ops)-1] = err
	}
	return errs
}

func (t *Table) do(op lvs.Op) error {
	key := op.Service.Key
	w := t.services[key]
	switch {
	case op.Verb == lvs.AddService && w != nil:
		return lvs.ErrExists
	case op.Verb == lvs.AddService:
		t.services[key] = &lvs.Wanted{Service: op.Service}
	case w == nil:
		return lvs.ErrNoService
	case op.Verb == lvs.EditService:
		w.Service = op.Service
	case op.Verb == lvs.DeleteService:
		delete(t.services, key)
	default:
		return doServer(w, op)
	}
	return nil
}

func doServer(w *lvs.Wanted, op lvs.Op) error {
	i, found := slices.BinarySearchFunc(w.Servers, op.Server, func(a, b lvs.Server) int { return a.Address.Compare(b.Address) })
	switch {
	case op.Verb == lvs.AddServer && found:
		return lvs.ErrExists
	case op.Verb == lvs.AddServer:
		w.Servers = slices.Insert(w.Servers, i, op.Server)
	case !found:
		return lvs.ErrNoServer
	case op.Verb == lvs.EditServer:
		w.Servers[i] = op.Server
	default:
		w.Servers = slices.Delete(w.Servers, i, i+1)
	}
	return nil
}

// SyncDaemons returns the sync daemons that ApplySync was given last.
func (t *Table) SyncDaemons() ([]lvs.SyncDaemon, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.daemons), nil
}

// ApplySync notes the wanted sync daemons. None sends anything.
func (t *Table) ApplySync(want []lvs.SyncDaemon) ([]lvs.SyncOp, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ops := lvs.PlanSync(t.daemons, want)
	t.daemons = slices.Clone(want)
	return ops, nil
}

// Timeouts returns the connection timeouts, at first the kernel's defaults.
func (t *Table) Timeouts() (lvs.Timeouts, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.timeouts, nil
}

// SetTimeouts replaces the connection timeouts.
func (t *Table) SetTimeouts(timeouts lvs.Timeouts) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timeouts = timeouts
	return nil
}

// Sysctl returns what SetSysctl has set; at first "0".
func (t *Table) Sysctl(name string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if value, ok := t.sysctls[name]; ok {
		return value, nil
	}
	return "0", nil
}

// SetSysctl notes the value of net.ipv4.vs.NAME. It does not change the kernel's.
func (t *Table) SetSysctl(name, value string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sysctls[name] = value
	return nil
}

// Close ends the record.
func (t *Table) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	_ = t.record.Close() // every change was written before
}
