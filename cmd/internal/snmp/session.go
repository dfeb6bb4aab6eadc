package snmp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"holdfast/cmd/internal/snmp/agentx"
)

const (
	// answerTimeout limits the time that we wait for the master agent's answer.
	answerTimeout = 10 * time.Second
	// writeTime limits the time for one write to the master agent. When the director
	// stops, it waits for the last write.
	writeTime = 2 * time.Second
	// answerTime is the time that the master agent is asked to wait for our answers.
	answerTime = 5 * time.Second
	// lookTime limits the time that we wait for a status from the director.
	lookTime = 2 * time.Second
	// pingPause is the time between two pings to the master agent.
	pingPause = 30 * time.Second
	// freshFor is how long a view is reused. A walk sends hundreds of requests.
	freshFor = time.Second
	// priority is the default priority of registrations (RFC 2741 §6.2.3).
	priority = 127
)

// A session is one connection to the master agent.
type session struct {
	*Agent
	conn   net.Conn
	in     chan arrival
	over   chan struct{} // closed when nobody receives from in any more
	id     uint32
	number uint32 // of our last packet
	ping   uint32 // number of the unanswered ping; 0: none
	buffer []byte
	view   *view
	viewed time.Time
}

type arrival struct {
	packet *agentx.Packet
	err    error
}

func newSession(a *Agent, conn net.Conn) *session {
	s := &session{Agent: a, conn: conn, in: make(chan arrival), over: make(chan struct{})}
	go s.read()
	return s
}

// read passes received packets to the channel in until the connection ends.
func (s *session) read() {
	in := bufio.NewReader(s.conn)
	for {
		p, err := agentx.Read(in)
		select {
		case s.in <- arrival{p, err}:
		case <-s.over:
			return
		}
		if err != nil {
			return
		}
	}
}

// open opens the session and registers our MIB. It returns an error if the master
// agent refuses either.
func (s *session) open(ctx context.Context) error {
	r, err := s.ask(ctx, &agentx.Open{Timeout: uint8(answerTime / time.Second), Description: "holdfast"})
	if err != nil {
		return fmt.Errorf("open a session: %w", err)
	}
	s.Agent.clock = s.Agent.clock.synced(time.Now(), r.UpTime)
	if _, err := s.ask(ctx, &agentx.Register{Priority: priority, Subtree: oidMIB}); err != nil {
		return fmt.Errorf("register %v: %w", oidMIB, err)
	}
	return nil
}

// ask sends a packet and waits for the answer. It returns an agentx.Error if the
// master agent refuses, and other errors if no answer arrives.
func (s *session) ask(ctx context.Context, b agentx.Body) (*agentx.Response, error) {
	number, err := s.send(b)
	if err != nil {
		return nil, err
	}
	limit := time.NewTimer(answerTimeout)
	defer limit.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-limit.C:
			return nil, fmt.Errorf("no answer within %v", answerTimeout)
		case got := <-s.in:
			if got.err != nil {
				return nil, s.broken(got.err)
			}
			r, ok := got.packet.Body.(*agentx.Response)
			if !ok || got.packet.Number != number {
				continue
			}
			if r.Error != agentx.NoError {
				return nil, r.Error
			}
			s.id = got.packet.Session
			return r, nil
		}
	}
}

// serve answers requests and sends traps. It returns nil when ctx ends, and an
// error when the session ends earlier.
func (s *session) serve(ctx context.Context) error {
	pings := time.NewTicker(pingPause)
	defer pings.Stop()
	err := s.sendTraps()
	for err == nil {
		select {
		case <-ctx.Done():
			_, _ = s.send(&agentx.Close{Reason: agentx.ReasonShutdown})
			return nil
		case got := <-s.in:
			if got.err != nil {
				return s.broken(got.err)
			}
			err = s.handle(ctx, got.packet)
		case <-s.wake:
			err = s.sendTraps()
		case <-pings.C:
			if s.ping != 0 {
				return errors.New("the master agent does not answer")
			}
			s.ping, err = s.send(&agentx.Ping{})
		}
	}
	return err
}

// handle processes a received packet and answers it if it is a request.
func (s *session) handle(ctx context.Context, p *agentx.Packet) error {
	switch b := p.Body.(type) {
	case *agentx.Response:
		return s.answered(p.Number, b)
	case *agentx.Close:
		return fmt.Errorf("the master agent closed the session: %v", b.Reason)
	case *agentx.CleanupSet:
		return nil // gets no answer
	}
	answer := s.answer(ctx, p)
	return s.write(&agentx.Packet{Session: p.Session, Transaction: p.Transaction, Number: p.Number, Body: answer})
}

// answered processes the master agent's response to one of our packets.
func (s *session) answered(number uint32, r *agentx.Response) error {
	if r.Error == agentx.ErrNotOpen {
		return r.Error
	}
	switch number {
	case 0:
		return nil // our packets start at 1
	case s.ping:
		s.ping = 0
		return nil
	}
	s.mu.Lock()
	if s.traps.done(number, r.Error == agentx.NoError) {
		s.status.TrapsSent++
	}
	s.mu.Unlock()
	return s.sendTraps()
}

// answer returns the response to a request.
func (s *session) answer(ctx context.Context, p *agentx.Packet) *agentx.Response {
	switch {
	case p.Session != s.id:
		return &agentx.Response{Error: agentx.ErrNotOpen}
	case p.Context != "":
		return &agentx.Response{Error: agentx.ErrUnsupportedContext}
	}
	s.mu.Lock()
	s.status.Requests++
	s.mu.Unlock()
	switch p.Body.(type) {
	case *agentx.TestSet:
		return &agentx.Response{Error: agentx.ErrNotWritable, Index: 1}
	case *agentx.CommitSet:
		return &agentx.Response{Error: agentx.ErrCommitFailed}
	case *agentx.UndoSet:
		return &agentx.Response{} // nothing was set
	}
	v, err := s.look(ctx)
	if err != nil {
		return &agentx.Response{Error: agentx.ErrGeneral, Index: 1}
	}
	var r agentx.Response
	switch b := p.Body.(type) {
	case *agentx.Get:
		for _, one := range b.Ranges {
			r.Variables = append(r.Variables, agentx.Variable{Name: one.Start, Value: v.get(one.Start)})
		}
	case *agentx.GetNext:
		for _, one := range b.Ranges {
			r.Variables = append(r.Variables, v.next(one))
		}
	case *agentx.GetBulk:
		r.Variables = v.bulk(b)
	default:
		r.Error = agentx.ErrDenied
	}
	return &r
}

// look returns a view that is at most freshFor old.
func (s *session) look(ctx context.Context) (*view, error) {
	if s.view != nil && time.Since(s.viewed) < freshFor {
		return s.view, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	st, err := s.source(ctx)
	if err != nil {
		return nil, err
	}
	s.view, s.viewed = newView(st, s.Agent.clock), time.Now()
	return s.view, nil
}

// send sends a packet with the next number and returns that number.
func (s *session) send(b agentx.Body) (uint32, error) {
	s.number++
	return s.number, s.write(&agentx.Packet{Session: s.id, Number: s.number, Body: b})
}

func (s *session) write(packets ...*agentx.Packet) error {
	s.buffer = s.buffer[:0]
	for _, p := range packets {
		s.buffer = p.Append(s.buffer)
	}
	if len(s.buffer) == 0 {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.buffer)
	return err
}

// broken returns the reason why reading failed. If a packet could not be parsed,
// it sends the master agent a Close packet with that reason.
func (s *session) broken(err error) error {
	var network net.Error
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the master agent closed the connection")
	case !errors.As(err, &network) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed):
		_, _ = s.send(&agentx.Close{Reason: agentx.ReasonParse})
	}
	return err
}
