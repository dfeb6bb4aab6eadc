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
