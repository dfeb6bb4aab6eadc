package probe

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// joints are the programs that ask for several servers at once. Each server has a
// Prober of its own, a member, with its own schedule. A run of the program
// answers every member once.
type joints struct {
	mu  sync.Mutex
	all map[string]*joint // by the program
}

// A joint is one such program. The lock of joints guards members.
type joint struct {
	key     string
	members int
	history *monHistory

	mu     sync.Mutex
	latest *jointRun       // nil before the first
	out    map[string]bool // hosts that are left out of the next runs, unless they lead them
}

// A jointRun is one run of the program.
type jointRun struct {
	begun time.Time
	ended chan struct{}   // closed at the end
	out   map[string]bool // hosts that it does not ask for; never changed

	// What came of it, once it has ended. An aborted run answers nobody, because
	// the member that led it was removed.
	result  Ended
	err     error
	aborted bool
}

// A jointMember asks for one server.
type jointMember struct {
	*externalProber // the program, which is the same for all members
	host            string
	interval        time.Duration // between two attempts of a member
	joints          *joints
	joint           *joint
	used            *jointRun // the one whose answer the member had last
}

// member returns the Prober of the server that the program knows as host.
func (j *joints) member(p *externalProber, host string, interval time.Duration) *jointMember {
	key := fmt.Sprintf("%q", p.program)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.all == nil {
		j.all = map[string]*joint{}
	}
	if j.all[key] == nil {
		j.all[key] = &joint{key: key, history: p.history}
	}
	j.all[key].members++
	p.history = j.all[key].history
	return &jointMember{externalProber: p, host: host, interval: interval, joints: j, joint: j.all[key]}
}

// Close ends the use of the member.
func (m *jointMember) Close() error {
	m.joints.mu.Lock()
	defer m.joints.mu.Unlock()
	if m.joint.members--; m.joint.members == 0 {
		delete(m.joints.all, m.joint.key)
	}
	return nil
}

// Wait implements Waiter. mon leaves hosts out in the same way (hostdepend).
func (m *jointMember) Wait(out bool) {
	m.joint.mu.Lock()
	defer m.joint.mu.Unlock()
	if !out {
		delete(m.joint.out, m.host)
		return
	}
	if m.joint.out == nil {
		m.joint.out = map[string]bool{}
	}
	m.joint.out[m.host] = true
}

// arguments returns the arguments of a run: those of all, less the hosts that it does
// not ask for. The hosts are the last arguments.
func (r *jointRun) arguments(all []string, hosts int) []string {
	own := len(all) - hosts
	argv := slices.Clone(all[:own])
	for _, host := range all[own:] {
		if !r.out[host] {
			argv = append(argv, host)
		}
	}
	return argv
}

// Probe implements Prober.
func (m *jointMember) Probe(ctx context.Context) error {
	for {
		run, leads := m.joint.next(m)
		if leads {
			program := m.program
			program.Argv = run.arguments(program.Argv, len(m.settings.Subject.Hosts))
			run.result, run.err = m.run(ctx, program)
			run.aborted = errors.Is(context.Cause(ctx), context.Canceled)
			close(run.ended)
		}
		select {
		case <-run.ended:
		case <-ctx.Done():
			return fmt.Errorf("timeout after %v", m.timeout)
		}
		if run.aborted && ctx.Err() == nil {
			continue
		}
		m.used = run
		return m.verdict(run)
	}
}

// ProbeWeight implements Weigher. A monitor of mon gives no weight.
func (m *jointMember) ProbeWeight(ctx context.Context) (*Weight, error) { return nil, m.Probe(ctx) }

// next returns the run that answers a member: the latest, unless the member has had
// its answer, it is as old as the time between two attempts, or it does not ask for the
// member's host. Otherwise it is a new one, which the member leads.
func (j *joint) next(m *jointMember) (run *jointRun, leads bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if l := j.latest; l != nil && l != m.used && now.Sub(l.begun) < m.interval && !l.out[m.host] && !l.isAborted() {
		return l, false
	}
	out := maps.Clone(j.out)
	delete(out, m.host)
	j.latest = &jointRun{begun: now, ended: make(chan struct{}), out: out}
	return j.latest, true
}

func (r *jointRun) isAborted() bool {
	select {
	case <-r.ended:
		return r.aborted
	default:
		return false
	}
}

// verdict returns what a run says of the member's server.
func (m *jointMember) verdict(run *jointRun) error {
	if run.err != nil {
		return run.err
	}
	return m.settings.answer(&run.result, m.host).err
}
