package snmp

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/snmp/agentx"
)

var errNobody = errors.New("nobody listens")

const sessionID = 77

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
