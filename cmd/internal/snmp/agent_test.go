package snmp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/event"
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

var errNobody = errors.New("nobody listens")

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

const sessionID = 77

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

func TestAnswers(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		if got := m.types(); got != "open register" {
			t.Fatalf("the session begins with %s", got)
		}
		state := oidOperation.Append(6, 2, 51, 2)
		if a := m.ask(&agentx.Get{Ranges: []agentx.Range{{Start: state}, {Start: oidMIB}}}); len(a.Variables) != 2 ||
			a.Variables[0].Value.Number != 3 || a.Variables[1].Value.Kind != agentx.KindNoSuchObject || a.Variables[1].Name.Compare(oidMIB) != 0 {
			t.Errorf("get: %+v", a)
		}
		if a := m.ask(&agentx.GetNext{Ranges: []agentx.Range{{Start: state}}}); len(a.Variables) != 1 || a.Variables[0].Value.Number != 2 {
			t.Errorf("get next: %+v", a)
		}
		if a := m.ask(&agentx.GetBulk{MaxRepetitions: 4, Ranges: []agentx.Range{{Start: state}}}); len(a.Variables) != 4 {
			t.Errorf("get bulk: %+v", a)
		}
		if a := m.ask(&agentx.TestSet{Variables: []agentx.Variable{{Name: state, Value: agentx.Integer(2)}}}); a.Error != agentx.ErrNotWritable || a.Index != 1 {
			t.Errorf("test set: %+v", a)
		}
		if a := m.ask(&agentx.CommitSet{}); a.Error != agentx.ErrCommitFailed {
			t.Errorf("commit set: %+v", a)
		}
		m.write(&agentx.Packet{Session: sessionID, Body: &agentx.CleanupSet{}})
		m.write(&agentx.Packet{Session: sessionID + 1, Body: &agentx.Get{}})
		if p := <-m.answers; p.Session != sessionID+1 || p.Body.(*agentx.Response).Error != agentx.ErrNotOpen {
			t.Errorf("another's session, or an answer to a clean-up: %+v", p)
		}
		m.write(&agentx.Packet{Session: sessionID, Context: "x", Body: &agentx.Get{}})
		if p := <-m.answers; p.Body.(*agentx.Response).Error != agentx.ErrUnsupportedContext {
			t.Errorf("a context: %+v", p)
		}
		if s := r.agent.Status(); !s.Connected || s.Requests != 5 || s.Error != "" || s.AgentX != "/x" {
			t.Errorf("status %+v", s)
		}
	})
	if got := m.types(); got != "open register close" {
		t.Errorf("the session was %s", got)
	}
}

// The agent asks the director at most once a second, and does not wait long.
func TestLooks(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		get := &agentx.Get{Ranges: []agentx.Range{{Start: oidGlobal.Append(1, 0)}}}
		for range 50 {
			m.ask(get)
		}
		time.Sleep(freshFor)
		m.ask(get)
		r.mu.Lock()
		looks := r.looks
		r.deaf = true
		r.mu.Unlock()
		if looks != 2 {
			t.Errorf("asked %d times", looks)
		}
		time.Sleep(freshFor)
		before := time.Now()
		if a := m.ask(get); a.Error != agentx.ErrGeneral {
			t.Errorf("without a status: %+v", a)
		}
		if took := time.Since(before); took != lookTime {
			t.Errorf("the answer took %v", took)
		}
	})
}

// The pauses between attempts grow. The log has each loss and each return, and not
// every attempt.
func TestReconnects(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		time.Sleep(100 * time.Second)
		synctest.Wait()
		var want []time.Duration
		for _, seconds := range []int{0, 1, 3, 7, 15, 31, 61, 91} {
			want = append(want, time.Duration(seconds)*time.Second)
		}
		if diff := cmp.Diff(want, r.dials); diff != "" {
			t.Errorf("dialled (-want +got):\n%s", diff)
		}
		if s := r.agent.Status(); s.Connected || s.Error != errNobody.Error() || time.Since(s.Since) != 100*time.Second {
			t.Errorf("status %+v", s)
		}
		m := newMaster(t)
		r.serve(m.run)
		time.Sleep(pauseMax)
		synctest.Wait()
		if s := r.agent.Status(); !s.Connected || s.Error != "" {
			t.Errorf("status %+v", s)
		}
		time.Sleep(steady)
		again := newMaster(t)
		r.serve(again.run)
		r.dials = nil
		m.write(&agentx.Packet{Session: sessionID, Body: &agentx.Close{Reason: agentx.ReasonShutdown}})
		synctest.Wait()
		if s := r.agent.Status(); s.Connected || !strings.Contains(s.Error, "it shuts down") {
			t.Errorf("status %+v", s)
		}
		time.Sleep(pauseMin)
		synctest.Wait()
		if got := again.types(); got != "open register" {
			t.Errorf("the new master agent heard %q", got)
		}
		if lost, back := r.log.count("no connection"), r.log.count("connected to the SNMP"); lost != 2 || back != 2 {
			t.Errorf("%d times lost, %d times back:\n%s", lost, back, r.log.b.String())
		}
	})
}

// The pauses grow as well when the master agent refuses the session.
func TestRefused(t *testing.T) {
	m := newMaster(t)
	m.refuse["register"] = agentx.ErrDuplicate
	inRig(t, m, func(r *rig) {
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if len(r.dials) != 4 {
			t.Errorf("dialled at %v", r.dials)
		}
		if s := r.agent.Status(); s.Connected || !strings.Contains(s.Error, "another session") {
			t.Errorf("status %+v", s)
		}
	})
}

// The agent ends a session with a master agent that no longer answers.
func TestPing(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		time.Sleep(10*pingPause + time.Second)
		m.mu.Lock()
		pings := m.pings
		m.mu.Unlock()
		if pings != 10 || !r.agent.Status().Connected {
			t.Errorf("%d pings, %+v", pings, r.agent.Status())
		}
		m.setMute()
		time.Sleep(2 * pingPause)
		synctest.Wait()
		if s := r.agent.Status(); s.Connected || !strings.Contains(s.Error, "does not answer") && !strings.Contains(s.Error, "no answer") {
			t.Errorf("status %+v", s)
		}
	})
}

// A malformed packet of the master agent ends the session. The agent gives the
// reason when it closes.
func TestNonsense(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		if _, err := m.Write(bytes.Repeat([]byte{0xff}, 20)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if r.agent.Status().Connected {
			t.Error("the session goes on")
		}
		m.mu.Lock()
		last, ok := m.heard[len(m.heard)-1].(*agentx.Close)
		m.mu.Unlock()
		if !ok || last.Reason != agentx.ReasonParse {
			t.Errorf("the master agent heard %+v", last)
		}
	})
}

func TestTraps(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		r.agent.Handle(becameMaster(routerKey{IfIndex: 2, VRID: 51, IPv6: true}, "fe80::2", "preempted"))
		r.agent.Handle(protocolError(routerKey{IfIndex: 3, VRID: 52}, "version"))
		synctest.Wait()
		want := []agentx.Body{
			&agentx.Notify{Variables: []agentx.Variable{
				{Name: oidTrap, Value: agentx.Identifier(agentx.OID{1, 3, 6, 1, 2, 1, 207, 0, 1})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 1, 1, 1, 3, 2, 51, 2}, Value: agentx.Octets([]byte{0xfe, 0x80, 15: 2})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 2, 2, 51, 2}, Value: agentx.Integer(2)},
			}},
			&agentx.Notify{Variables: []agentx.Variable{
				{Name: oidTrap, Value: agentx.Identifier(agentx.OID{1, 3, 6, 1, 2, 1, 207, 0, 2})},
				{Name: agentx.OID{1, 3, 6, 1, 2, 1, 207, 1, 2, 5, 1, 6, 3, 52, 1}, Value: agentx.Integer(2)},
			}},
		}
		if diff := cmp.Diff(want, m.heard[2:]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if s := r.agent.Status(); s.TrapsSent != 2 || s.TrapsQueued != 0 || s.TrapsDropped != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

// While there is no session, traps wait in order, including those that the master
// agent did not confirm. The oldest are dropped when there are too many.
func TestTrapsWait(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		router := func(i int) routerKey { return routerKey{IfIndex: i, VRID: 1} }
		r.agent.Handle(becameMaster(router(999), "10.0.0.1", "priority"))
		time.Sleep(staleAfter - 10*time.Second)
		for i := range 100 {
			r.agent.Handle(becameMaster(router(i+1), "10.0.0.1", "priority"))
		}
		if s := r.agent.Status(); s.TrapsQueued != 101 {
			t.Errorf("status %+v", s)
		}
		silent := newMaster(t)
		silent.refuse["notify"] = agentx.ErrNotOpen // it lost the session and accepted no trap
		r.serve(silent.run)
		time.Sleep(pauseMax)
		synctest.Wait()
		m := newMaster(t)
		r.serve(m.run)
		time.Sleep(pauseMax)
		synctest.Wait()
		var got []uint32
		for _, b := range m.heard {
			if n, ok := b.(*agentx.Notify); ok {
				got = append(got, n.Variables[1].Name[len(oidOperation)+1])
			}
		}
		if len(got) != 100 || got[0] != 1 || got[99] != 100 {
			t.Errorf("%d traps: %v", len(got), got)
		}
		if s := r.agent.Status(); s.TrapsSent != 100 || s.TrapsDropped != 1 || s.TrapsQueued != 0 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestTrapsBounded(t *testing.T) {
	inRig(t, nil, func(r *rig) {
		for range queueLen + 10 {
			r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		}
		if s := r.agent.Status(); s.TrapsQueued != queueLen || s.TrapsDropped != 10 {
			t.Errorf("status %+v", s)
		}
		r.agent.Configure(Options{AgentX: "/x"})
		r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		if s := r.agent.Status(); s.TrapsQueued != 0 || s.TrapsDropped != queueLen+10 {
			t.Errorf("without traps: %+v", s)
		}
	})
}

// The number of unanswered traps is limited, even if the master agent does not read
// and answers at the same time.
func TestTrapWindow(t *testing.T) {
	m := newMaster(t)
	inRig(t, m, func(r *rig) {
		synctest.Wait()
		m.setMute()
		for range 100 {
			r.agent.Handle(protocolError(routerKey{IfIndex: 1, VRID: 1}, "checksum"))
		}
		synctest.Wait()
		m.mu.Lock()
		under := len(m.heard) - 2
		m.mu.Unlock()
		if under != window {
			t.Errorf("%d traps are under way", under)
		}
	})
}

// When the options change, the agent closes its session and connects to the new
// master agent.
func TestConfigure(t *testing.T) {
	first, second := newMaster(t), newMaster(t)
	inRig(t, first, func(r *rig) {
		synctest.Wait()
		r.serve(second.run)
		r.agent.Configure(Options{AgentX: "/x", Network: "unix", Address: "/x", Traps: true})
		synctest.Wait()
		if got := first.types(); got != "open register" {
			t.Errorf("the same options: %s", got)
		}
		r.agent.Configure(Options{AgentX: "tcp:h:705", Network: "tcp", Address: "h:705"})
		synctest.Wait()
		if got := first.types(); got != "open register close" {
			t.Errorf("the first master agent heard %s", got)
		}
		if got := second.types(); got != "open register" {
			t.Errorf("the second master agent heard %q", got)
		}
		if s := r.agent.Status(); !s.Connected || s.AgentX != "tcp:h:705" || s.Error != "" {
			t.Errorf("status %+v", s)
		}
	})
}

func becameMaster(r routerKey, source, takeover string) *event.Event {
	i := about(r)
	i.Source, i.Takeover = source, takeover
	return &event.Event{Kind: event.KindInstance, From: event.Backup, To: event.Master, Instance: i}
}

func protocolError(r routerKey, drop string) *event.Event {
	i := about(r)
	i.Drop = drop
	return &event.Event{Kind: event.KindProtocolError, Instance: i, NotJournaled: true}
}

func about(r routerKey) *event.Instance {
	family := "ipv4"
	if r.IPv6 {
		family = "ipv6"
	}
	return &event.Instance{IfIndex: r.IfIndex, VRID: int(r.VRID), Family: family}
}
