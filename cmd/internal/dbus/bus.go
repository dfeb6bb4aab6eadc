//go:build dbus

package dbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	// handshake limits the time to connect, log in and obtain the service's name.
	handshake = 10 * time.Second
	// writing limits the time to write one message. The service disconnects from a
	// bus that takes longer.
	writing = 10 * time.Second
	// leaving limits the time that leave waits for a running method and the bus.
	leaving = 2 * time.Second
)

var errLost = errors.New("the connection to the bus was lost")

// A connection is a link to a real bus.
type connection struct {
	conn *dbus.Conn
	end  func() // closes the connection immediately
	name string
	work chan struct{} // Service.work
}

// dial connects to the bus and requests the service's name. It returns an error
// if a step fails, if it all takes longer than handshake, or if another program
// owns the name.
func dial(life, ctx context.Context, s *Service, o Options) (link, error) {
	var d net.Dialer
	early, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	socket, err := d.DialContext(early, "unix", o.Socket)
	if err != nil {
		return nil, err
	}
	c := &connection{name: o.Name, work: s.work}
	c.end = func() {
		socket.Close() // first: Conn.Close waits for a message that is being written
		c.conn.Close()
	}
	c.conn, err = dbus.NewConn(bounded{socket}, dbus.WithContext(life), dbus.WithHandler(&handler{s, life}))
	if err != nil {
		socket.Close()
		return nil, err
	}
	context.AfterFunc(c.conn.Context(), func() { socket.Close() })
	unbound := context.AfterFunc(early, c.end)
	err = c.join()
	if !unbound() {
		err = fmt.Errorf("the bus at %s did not answer in %v", o.Socket, handshake)
	}
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// join logs in to the bus and requests the service's name. It returns an error if
// the bus refuses the login or another program owns the name.
func (c *connection) join() error {
	if err := c.conn.Auth(nil); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	if err := c.conn.Hello(); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	switch reply, err := c.conn.RequestName(c.name, dbus.NameFlagDoNotQueue); {
	case err != nil:
		return fmt.Errorf("take the name %s: %w", c.name, err)
	case reply != dbus.RequestNameReplyPrimaryOwner:
		return fmt.Errorf("take the name %s: another program has it", c.name)
	}
	return nil
}

func (c *connection) lost() <-chan struct{} { return c.conn.Context().Done() }

func (c *connection) emit(s *signal) error {
	iface, body := ifaceMember, []any{uint32(s.state)}
	switch s.name {
	case started, reloaded, stopped:
		iface, body = ifaceRouter, nil
	case changedState:
		iface = ifaceProps
		body = []any{ifaceMember, map[string]dbus.Variant{"State": dbus.MakeVariant(stateOf(s.state))}, []string{}}
	}
	return c.conn.Emit(dbus.ObjectPath(s.path), iface+"."+s.name, body...)
}

func (c *connection) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, leaving)
	defer cancel()
	defer context.AfterFunc(ctx, c.end)()
	select {
	case c.work <- struct{}{}: // the method at work has ended
		<-c.work
	case <-c.lost():
	}
	// The bus answers this call after it has received all earlier messages.
	_, _ = c.conn.ReleaseName(c.name)
	c.end()
}

// A bounded is a socket with a time limit for each write.
type bounded struct{ net.Conn }

func (b bounded) Write(p []byte) (int, error) {
	if err := b.SetWriteDeadline(time.Now().Add(writing)); err != nil {
		return 0, err
	}
	return b.Conn.Write(p)
}
