package director

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/track"
	"holdfast/lvs"
)

const (
	// maxMaintenanceFiles bounds how many files of the directory are looked at.
	maxMaintenanceFiles = 10_000
	// lookupTimeout bounds the question which host a file is named after.
	lookupTimeout = 5 * time.Second
	// maintenanceTimeout is how long a start or a reload waits for the directory.
	maintenanceTimeout = time.Second
)

// A maintenance watches the directory in which a file named after a server drains it.
type maintenance struct {
	base
	// found is called with the files of the directory when they have changed.
	found func(lvs.Files)
	// unknown returns the files whose names are those of hosts, if of anything.
	unknown func(lvs.Files) []string
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)

	dir     string   // "": none
	names   []string // of its files, when it was read the last time
	reading bool     // it is being read
	again   bool     // it may have changed since
	watch   *track.Watch
	files   lvs.Files
	hosts   map[string][]netip.Addr // addresses of files named after hosts; nil: none has that name
	err     error                   // why the directory cannot be read

	running context.Context // until close
	end     context.CancelFunc
	lookups sync.WaitGroup
}

func newMaintenance(b base) *maintenance {
	m := &maintenance{base: b, hosts: map[string][]netip.Addr{}}
	m.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	m.watch = track.NewWatch(func(string) { m.post(m.look) })
	m.running, m.end = context.WithCancel(context.Background())
	return m
}

// apply watches the directory of a configuration. It waits a little for what is in it,
// so that the first table has it.
func (m *maintenance) apply(dir string) {
	if dir != m.dir {
		m.err = nil
	}
	m.dir = dir
	if dir == "" {
		m.watch.SetDirs(nil)
		m.take(nil, nil)
		return
	}
	m.watch.SetDirs([]string{dir})
	read := m.read()
	select {
	case r := <-read:
		m.take(r.names, r.err)
	case <-time.After(maintenanceTimeout):
		m.later(read)
	}
}

// A directoryRead is what is in the directory.
type directoryRead struct {
	names []string
	err   error
}

// read reads the directory in a goroutine of its own, which nobody waits for: the
// directory may be on a file server that does not answer.
func (m *maintenance) read() <-chan directoryRead {
	read := make(chan directoryRead, 1)
	dir := m.dir
	go func() {
		names, err := fileNames(dir)
		read <- directoryRead{names, err}
	}()
	return read
}

// later takes over what is read once it has been read. Meanwhile nothing else is read.
func (m *maintenance) later(read <-chan directoryRead) {
	m.reading = true
	dir := m.dir
	m.lookups.Go(func() {
		select {
		case <-m.running.Done():
		case r := <-read:
			m.post(func() {
				again := m.again || dir != m.dir
				m.reading, m.again = false, false
				if dir == m.dir {
					m.take(r.names, r.err)
				}
				if again {
					m.look()
				}
			})
		}
	})
}

// look has the directory read.
func (m *maintenance) look() {
	switch {
	case m.dir == "":
	case m.reading:
		m.again = true
	default:
		m.watch.Retry(m.dir)
		m.later(m.read())
	}
}

// take takes over what is in the directory. If it could not be read, the servers are as
// they were: a directory that is gone must not send clients to a server on which
// somebody works.
func (m *maintenance) take(names []string, err error) {
	if err != nil {
		if errorText(m.err) != err.Error() {
			m.log.Error("the maintenance directory cannot be read; drained servers stay drained", "err", err)
		}
		m.err = err
		return
	}
	m.err, m.names = nil, names
	m.drain()
}

// drain drains the servers that the files are named after.
func (m *maintenance) drain() {
	files := lvs.Files{}
	for _, name := range m.names {
		files[name] = nil
	}
	m.name(files)
	if !maps.EqualFunc(files, m.files, slices.Equal) {
		m.files = files
		m.found(files)
	}
}

// name adds the addresses of those files that are named after hosts, once they are
// known.
func (m *maintenance) name(files lvs.Files) {
	maps.DeleteFunc(m.hosts, func(name string, _ []netip.Addr) bool { _, there := files[name]; return !there })
	for _, name := range m.unknown(files) {
		addresses, asked := m.hosts[name]
		files[name] = addresses
		if !asked {
			m.hosts[name] = nil
			m.ask(name)
		}
	}
}

// ask looks up the addresses of a host.
func (m *maintenance) ask(host string) {
	m.lookups.Go(func() {
		ctx, cancel := context.WithTimeout(m.running, lookupTimeout)
		defer cancel()
		addresses, err := m.lookup(ctx, host)
		for i := range addresses {
			addresses[i] = addresses[i].Unmap()
		}
		m.post(func() {
			if _, asked := m.hosts[host]; !asked {
				return // the file is gone
			}
			m.hosts[host] = addresses
			m.drain()
			if files := (lvs.Files{host: addresses}); len(m.unknown(files)) > 0 {
				m.log.Warn("a file of the maintenance directory is named after no server", "file", host, "err", err)
			}
		})
	})
}

// fileNames returns the names of the entries of a directory that are no directories.
func fileNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open the maintenance directory: %w", err)
	}
	defer d.Close()
	entries, err := d.ReadDir(maxMaintenanceFiles)
	if err != nil && !errors.Is(err, io.EOF) { // which is an empty directory
		return nil, fmt.Errorf("read the maintenance directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (m *maintenance) close() {
	m.end()
	m.watch.Close()
	m.lookups.Wait()
}

// problems returns that the directory cannot be read.
func (m *maintenance) problems() []status.Problem {
	if m.err == nil {
		return nil
	}
	return []status.Problem{{Kind: "maintenance", Name: m.dir, Text: m.err.Error()}}
}

// maintain drains the servers that files are named after, and publishes which.
func (v *virtualServices) maintain(files lvs.Files) {
	for _, c := range v.balance.table.Maintain(files) {
		e := event.Event{
			At: time.Now(), Kind: event.KindOperator, Subject: c.Ref.String(), To: event.Drained,
			Reason: "drained by the maintenance file " + c.Now, Detail: map[string]string{"by": "file " + c.Now}, Service: v.eventServer(c.Ref),
		}
		if c.Now == "" {
			e.To, e.Reason = event.Enabled, "the maintenance file "+c.Was+" is gone"
			e.Detail["by"] = "file " + c.Was
		}
		v.causes[c.Ref.Service] = e.Subject + ": " + e.Reason
		v.log.Info("maintenance file", "server", e.Subject, "reason", e.Reason)
		v.publish(e)
	}
	v.dirty = true
}
