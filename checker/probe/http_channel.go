package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
)

// A channel is a connection to the server that carries messages.
type channel struct {
	at     origin
	dialer *dialer // for the words of errors
	socket *socket
	conn   net.Conn // the socket, or TLS on it
	r      *reader
	h2     *http.ClientConn // nil: HTTP/1
	// stale says that the connection rested before the message on it, and that the
	// server has not answered it.
	stale bool
	sent  bool // the next message was sent already
}

// dialChannel makes a connection for a message.
func (p *httpProber) dialChannel(ctx context.Context, m *message) (*channel, error) {
	d := &p.dialer
	if m.at.port != d.remote.Port() {
		other := d.beside(m.at.port)
		d = &other
	}
	s, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &channel{at: m.at, dialer: d, socket: s, conn: s}
	if p.settings.Version == "2" {
		c.conn = &bounded{Conn: s, most: http2Bound(p.settings.MaxBody)}
	}
	if m.at.secure {
		secure, err := p.tls[m.at.name].Secure(c.conn)
		if err != nil {
			s.Close()
			return nil, d.failed("TLS", err)
		}
		c.conn = secure
	}
	if p.settings.Version == "2" {
		if err := c.startHTTP2(ctx, m); err != nil {
			c.close()
			return nil, err
		}
		return c, nil
	}
	c.r = readers.Get().(*reader)
	return c, nil
}

// send sends a message and returns the head of the answer.
func (c *channel) send(ctx context.Context, m *message) (*http.Response, error) {
	if c.h2 != nil {
		return c.sendHTTP2(ctx, m)
	}
	if !c.sent {
		if _, err := c.conn.Write(m.wire); err != nil {
			return nil, c.dialer.failed("request", err)
		}
	}
	c.sent = false
	if c.r == nil { // it rested
		c.r = readers.Get().(*reader)
	}
	c.r.reset(c.conn)
	answer, err := c.r.answer(m.head)
	c.stale = c.stale && err != nil && c.r.limit.N == maxHead
	if err != nil {
		return nil, c.dialer.failed("answer", err)
	}
	return answer, nil
}

// canGoOn reports whether another message can follow after an answer that was read to
// its end.
func (c *channel) canGoOn(answer *http.Response) bool {
	if c.h2 != nil {
		return c.h2.Err() == nil
	}
	return !answer.Close && c.r.buf.Buffered() == 0
}

// rest prepares an open connection to be kept until the next attempt. It returns false
// if that is impossible.
func (c *channel) rest() bool {
	c.freeReader()
	return c.socket.unwatch()
}

// isQuiet reports whether nothing has come since a connection rests, as far as bytes that
// come unasked have no meaning there.
func (c *channel) isQuiet() bool {
	if c.at.secure || c.h2 != nil {
		return true
	}
	quiet := false
	raw, err := c.socket.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { quiet = isQuiet(int(fd)) })
	}
	return err == nil && quiet
}

// wake prepares a kept connection for another attempt.
func (c *channel) wake(ctx context.Context) {
	c.socket.watch(ctx)
	c.stale = true
}

func (c *channel) freeReader() {
	if c.r != nil {
		c.r.release()
		c.r = nil
	}
}

func (c *channel) close() {
	c.freeReader()
	if c.h2 != nil {
		_ = c.h2.Close() // nothing was written that could be lost
	}
	if secure, ok := c.conn.(*tls.Conn); ok {
		_ = secure.Close() // close_notify, and the socket
		return
	}
	_ = c.socket.Close()
}
