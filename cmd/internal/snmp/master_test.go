package snmp

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"holdfast/cmd/internal/snmp/agentx"
)

// A master is a master agent's side of a session.
type master struct {
	net.Conn
	t *testing.T
	// refuse has the errors with which it answers packets of a type.
	refuse map[string]agentx.Error

	mu    sync.Mutex
	heard []agentx.Body // all but pings
	pings int
	mute  bool // it no longer answers
	// answers receives the Responses to its requests.
	answers chan *agentx.Packet
}

func newMaster(t *testing.T) *master {
	return &master{t: t, refuse: map[string]agentx.Error{}, answers: make(chan *agentx.Packet, 100)}
}

// run serves a connection.
func (m *master) run(conn net.Conn) {
	m.Conn = conn
	defer conn.Close()
	// Like a socket, and unlike net.Pipe, it takes some before the other side reads.
	out := make(chan []byte, 1000)
	defer close(out)
	go func() {
		for b := range out {
			if _, err := conn.Write(b); err != nil {
				return
			}
		}
	}()
	for {
		p, err := agentx.Read(conn)
		if err != nil {
			return
		}
		name := typeName(p.Body)
		if name == "response" {
			m.answers <- p
			continue
		}
		m.mu.Lock()
		if name == "ping" {
			m.pings++
		} else {
			m.heard = append(m.heard, p.Body)
		}
		mute := m.mute
		m.mu.Unlock()
		if name != "open" && p.Session != sessionID {
			m.t.Errorf("%T of session %d", p.Body, p.Session)
		}
		if mute || name == "close" {
			continue
		}
		answer := agentx.Packet{Session: sessionID, Number: p.Number, Body: &agentx.Response{UpTime: 100, Error: m.refuse[name]}}
		out <- answer.Append(nil)
	}
}

func (m *master) write(p *agentx.Packet) {
	if _, err := m.Write(p.Append(nil)); err != nil {
		m.t.Logf("master agent: %v", err)
	}
}

// ask sends a request and returns the answer.
func (m *master) ask(b agentx.Body) *agentx.Response {
	m.t.Helper()
	m.write(&agentx.Packet{Session: sessionID, Transaction: 5, Number: 6, Body: b})
	p := <-m.answers
	if p.Session != sessionID || p.Transaction != 5 || p.Number != 6 {
		m.t.Errorf("the answer belongs to another request: %+v", p)
	}
	return p.Body.(*agentx.Response)
}

func (m *master) types() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []string
	for _, b := range m.heard {
		list = append(list, typeName(b))
	}
	return strings.Join(list, " ")
}

// typeName is "open", "register", ...
func typeName(b agentx.Body) string {
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", b), "*agentx."))
}

func (m *master) setMute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mute = true
}
