package snmp

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/snmp/agentx"
	"holdfast/cmd/internal/status"
)

// A rig is an agent and the place where master agents are, in a bubble of
// virtual time.
type rig struct {
	t     *testing.T
	agent *Agent
	log   *syncBuffer
	began time.Time

	mu     sync.Mutex
	master func(net.Conn) // serves the next connections; nil: nobody listens
	dials  []time.Duration
	looks  int // number of calls of the source
	deaf   bool
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), text)
}

// inRig runs a test with an agent that sends traps. m serves the first connections; nil: nobody listens.
func inRig(t *testing.T, m *master, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, log: &syncBuffer{}, began: time.Now()}
		if m != nil {
			m.answers = make(chan *agentx.Packet, 100) // must belong to the bubble
			r.master = m.run
		}
		log := slog.New(slog.NewTextHandler(r.log, nil))
		r.agent = newAgent(log, r.source, Options{AgentX: "/x", Network: "unix", Address: "/x", Traps: true}, r.dial)
		defer r.agent.Close()
		test(r)
	})
}

func (r *rig) dial(_ context.Context, network, address string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dials = append(r.dials, time.Since(r.began))
	if r.master == nil {
		return nil, errNobody
	}
	here, there := net.Pipe()
	go r.master(there)
	return here, nil
}

func (r *rig) serve(master func(net.Conn)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.master = master
}

func (r *rig) source(ctx context.Context) (*status.Status, error) {
	r.mu.Lock()
	r.looks++
	deaf := r.deaf
	r.mu.Unlock()
	if deaf {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return sample(), nil
}
