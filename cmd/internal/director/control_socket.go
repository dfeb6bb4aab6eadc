package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev/statefile"
)

// A controlSocket is the unix socket on which clients ask and command the director.
type controlSocket struct {
	base
	path     string
	api      *control.API
	problems func([]status.Problem) // nil before the subsystems are made
	access   conf.Socket
	writers  atomic.Int64      // group that may change something; -1: none
	listener *control.Listener // nil: not open
	server   *control.Server   // nil until it serves
}

// open opens the socket. A client that connects before serve waits.
func (s *controlSocket) open() (err error) {
	s.listener, err = control.Listen(s.path)
	if err == nil {
		s.allow(&s.access)
	}
	return err
}

// allow lets those use the socket whom the configuration names.
func (s *controlSocket) allow(access *conf.Socket) {
	s.access = *access
	var all []status.Problem
	if err := s.permit(); err != nil {
		all = append(all, status.Problem{Kind: "socket", Name: s.path, Text: fmt.Sprintf("only root and the daemon's user can use the control socket: %v", err)})
	}
	if s.problems != nil {
		s.problems(all)
	}
}

// permit sets the permissions of the socket. After an error only root and the daemon's
// user can use it.
func (s *controlSocket) permit() error {
	s.writers.Store(-1)
	writers, err := groupID(s.access.WriteGroup)
	group := writers
	if err == nil && s.access.Group != "" {
		group, err = groupID(s.access.Group)
	}
	if err != nil {
		return errors.Join(err, s.listener.Permit(-1, 0o600))
	}
	if group < 0 {
		group = int64(os.Getegid())
	}
	if err := s.listener.Permit(int(group), s.access.Mode); err != nil {
		return err
	}
	s.writers.Store(writers)
	return nil
}

// groupID returns the id of a group, and -1 for "".
func groupID(name string) (int64, error) {
	if name == "" {
		return -1, nil
	}
	gid, err := program.LookupGroup(name)
	if err != nil {
		return -1, err
	}
	return int64(gid), nil
}

// serve answers clients.
func (s *controlSocket) serve() {
	l := s.listener
	server := s.api.NewServer(control.SocketDoor(func() (gid uint32, ok bool) {
		n := s.writers.Load()
		return uint32(n), n >= 0
	}))
	s.server = server
	s.spawn(func() {
		if err := server.Serve(l); err != nil {
			s.log.Error("the control socket is dead", "err", err)
		}
	})
}

// leave closes the socket for a binary that opens it again in a moment. The answer
// that asked for that binary goes through.
func (s *controlSocket) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
	defer cancel()
	err := s.server.Leave(ctx)
	s.server, s.listener = nil, nil
	return err
}

// end closes the socket.
func (s *controlSocket) end() error {
	switch {
	case s.server != nil:
		ctx, cancel := context.WithTimeout(context.Background(), closeGrace)
		defer cancel()
		return s.server.Close(ctx)
	case s.listener != nil:
		return s.listener.Close()
	}
	return nil
}

// backend answers the control socket for a director.
type backend struct{ d *Director }

// Status implements control.Backend.
func (b backend) Status(ctx context.Context) (*status.Status, error) {
	var s *status.Status
	var err error
	if e := b.d.ask(ctx, func() { s, err = b.d.status() }); e != nil {
		return nil, e
	}
	return s, err
}

// Reload implements control.Backend.
func (b backend) Reload(ctx context.Context) (*control.Reloaded, error) {
	return b.d.reload(ctx)
}

// Plan implements control.Backend.
func (b backend) Plan(ctx context.Context) (*control.Plan, error) {
	n, err := b.d.read(ctx)
	if err != nil {
		return nil, err
	}
	absent := checkIPVS(ctx, n.conf) // it may run a program, which is not for the loop
	var p *control.Plan
	if e := b.d.ask(ctx, func() { p, err = b.d.plan(ctx, n.conf, absent) }); e != nil {
		return nil, e
	}
	return p, err
}

// plan says what a reload of a configuration would change now, or why it would be
// refused. Of the subsystems it asks the virtual routers alone: the services would
// load the IPVS module, which is a change. absent says that the configuration needs
// IPVS in vain.
func (d *Director) plan(ctx context.Context, c *conf.Config, absent error) (*control.Plan, error) {
	if d.services.balance.kernel != nil {
		absent = nil
	}
	if err := errors.Join(d.admitRuntimeDir(c), d.routers.admit(ctx, c), absent); err != nil {
		return nil, fmt.Errorf("a reload would be refused: %w", err)
	}
	p := &control.Plan{Version: status.Version, Path: d.opts.Path}
	p.Steps = append([]control.Step{}, sentences(describe(d.conf, c))...)
	ops, err := d.services.balance.preview(c)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, tableSteps(ops)...)
	return p, nil
}

// vrrpStatusSoon has the loop make a vrrpStatus.
func (d *Director) vrrpStatusSoon(ctx context.Context) (*status.Status, error) {
	var s *status.Status
	var err error
	if e := d.ask(ctx, func() { s, err = d.vrrpStatus() }); e != nil {
		return nil, e
	}
	return s, err
}

// busDirector is the director as D-Bus sees it.
type busDirector struct{ backend }

// Reload implements dbus.Director.
func (b busDirector) Reload(ctx context.Context) error {
	_, err := b.backend.Reload(ctx)
	return err
}

// Announce implements dbus.Director.
func (b busDirector) Announce(ctx context.Context, name string) error {
	var err error
	e := b.d.ask(ctx, func() { err = b.d.routers.announce(name) })
	return errors.Join(e, err)
}

// Write implements dbus.Director.
func (b busDirector) Write(name string, content []byte) error {
	path := filepath.Join(b.d.opts.Config.Director.RuntimeDir, name)
	if err := statefile.Replace(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// stateText returns the text of the status; "" if the loop does not answer in time,
// as when it stops.
func (d *Director) stateText(ctx context.Context) string {
	text := make(chan string, 1)
	err := d.ask(ctx, func() {
		if s, err := d.status(); err == nil {
			text <- s.Text(status.SectionAll)
		} else {
			text <- ""
		}
	})
	if err != nil {
		return ""
	}
	return <-text
}

// newSocket returns the control socket of the director.
func (d *Director) newSocket() *controlSocket {
	path := d.opts.Socket
	if path == "" {
		path = filepath.Join(d.opts.Config.Director.RuntimeDir, "control.sock")
	}
	return &controlSocket{base: d.base(), path: path, api: d.api, access: d.opts.Config.Director.Socket}
}

// newAPI returns what clients of the control socket and of listeners are answered.
func (d *Director) newAPI() *control.API {
	return control.NewAPI(control.Options{
		Backend: backend{d}, Events: d.journal, Log: d.log, Page: d.page, Metrics: d.metrics.handler(backend{d}.Status),
		Version: control.VersionInfo{Software: d.opts.Version, Go: runtime.Version(), PID: os.Getpid(), Started: d.started},
	})
}
