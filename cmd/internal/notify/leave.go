package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

// maxLeft bounds, in bytes of JSON, the calls that a Notifier leaves for the next binary.
const maxLeft = 4 << 20

// Left is what a Notifier leaves for that of the binary which replaces this one in the
// same process. Fields may be added; the binaries before and after must be able to read it.
type Left struct {
	Subjects []LeftSubject `json:"subjects,omitempty"`
	Status   SinkStatus    `json:"status,omitzero"`
}

// A LeftSubject is a subject with the calls that have not ended, in order.
type LeftSubject struct {
	Kind   Kind       `json:"kind"`
	Name   string     `json:"name"`
	State  string     `json:"state,omitempty"`  // last sent
	Rival  string     `json:"rival,omitempty"`  // last sent of a rivalry, in this state
	Rivals []string   `json:"rivals,omitempty"` // addresses
	Calls  []LeftCall `json:"calls,omitempty"`
}

// A LeftCall is a call with the commands that have not ended, in order.
type LeftCall struct {
	Event    event.Whole `json:"event"`
	Commands []Command   `json:"commands"`
	Begun    bool        `json:"begun,omitempty"` // no later event replaces it
	Run      *LeftRun    `json:"run,omitempty"`   // of the first command; nil: it was not started
}

// A LeftRun is a script, or another program, that runs.
type LeftRun struct {
	PID    int           `json:"pid"`
	End    time.Duration `json:"end_ns"` // when its time is over, since boot
	Begun  time.Time     `json:"begun"`
	Reason string        `json:"reason,omitempty"` // why it was told to end; "": it was not
	FD     int           `json:"fd"`               // of the pipe with its output
	Output outputLog     `json:"output,omitzero"`
}

// PIDs returns the processes of the scripts that run.
func (l *Left) PIDs() []int {
	var all []int
	for i := range l.Subjects {
		for _, c := range l.Subjects[i].Calls {
			if c.Run != nil {
				all = append(all, c.Run.PID)
			}
		}
	}
	return all
}

// Pause has no script started any more, and returns when nobody waits for one. Scripts that
// run go on. Events are queued. When ctx is done before, Pause returns an error: a script
// is just being started, or has ended and its result is being taken, and that takes long.
// Resume ends the pause.
func (n *Notifier) Pause(ctx context.Context) error {
	n.mu.Lock()
	if !n.paused {
		n.paused = true
		close(n.pause)
	}
	if n.running == 0 {
		n.mu.Unlock()
		return nil
	}
	if n.idle == nil {
		n.idle = make(chan struct{})
	}
	idle := n.idle
	n.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait until no script is started: %w", context.Cause(ctx))
	}
}

// Resume ends a pause.
func (n *Notifier) Resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused {
		n.paused, n.pause = false, make(chan struct{})
		n.work()
	}
}

// pausing returns a channel that is closed while the notifier pauses.
func (n *Notifier) pausing() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pause
}

// Leave returns what the notifier of the next binary goes on with, while this one pauses.
// What cannot be left counts as dropped there, and is logged.
func (n *Notifier) Leave() Left {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := Left{Status: n.status}
	room := maxLeft
	for _, s := range n.inOrder() {
		left := LeftSubject{Kind: s.key.kind, Name: s.key.name, State: s.state, Rival: s.rival, Rivals: s.rivals}
		for _, d := range n.unfinishedOf(s, &l.Status) {
			c := leaveCall(d)
			b, err := json.Marshal(c)
			if err == nil && len(b) > room {
				err = errors.New("too much waits")
			}
			if err != nil {
				n.leaveOut(d, len(d.commands), err, &l.Status)
				continue
			}
			room -= len(b)
			left.Calls = append(left.Calls, c)
		}
		l.Subjects = append(l.Subjects, left)
	}
	return l
}

// inOrder returns all subjects, those that are ready first and in their order. n.mu is held.
func (n *Notifier) inOrder() []*subject {
	all := make([]*subject, 0, len(n.subjects))
	listed := map[*subject]bool{}
	for _, s := range n.ready {
		all, listed[s] = append(all, s), true
	}
	for _, s := range n.subjects {
		if !listed[s] {
			all = append(all, s)
		}
	}
	return all
}

// unfinishedOf returns the deliveries of a subject that can be left. One whose worker has
// not come to rest is without the command that the worker is at, if that may have been
// started. n.mu is held.
func (n *Notifier) unfinishedOf(s *subject, st *SinkStatus) []*delivery {
	if s.current == nil {
		return s.pending
	}
	d := *s.current // which belongs to the worker
	if d.starting || d.run != nil {
		n.leaveOut(&d, 1, errors.New("it is not known whether it has run"), st)
		d.commands, d.starting, d.run = d.commands[1:], false, nil
	}
	if len(d.commands) == 0 {
		return s.pending
	}
	return append([]*delivery{&d}, s.pending...)
}

// leaveOut says that the first commands of a delivery are not left.
func (n *Notifier) leaveOut(d *delivery, commands int, err error, st *SinkStatus) {
	st.Dropped += uint64(commands)
	for _, c := range d.commands[:commands] {
		n.scriptLog(&d.call, c).Error("the new binary does not take over a script", "err", err)
	}
}

// leaveCall returns what is left of a delivery.
func leaveCall(d *delivery) LeftCall {
	c := LeftCall{Event: event.Whole(*d.call.Event), Commands: d.commands, Begun: d.begun}
	if d.run != nil {
		c.Run = d.run.leave()
	}
	return c
}

// HandOn has the next binary inherit the pipes of the scripts that run. Nothing may be
// started until Keep.
func (n *Notifier) HandOn() {
	n.eachOutput((*output).handOn)
}

// Keep undoes HandOn.
func (n *Notifier) Keep() { n.eachOutput((*output).keep) }

func (n *Notifier) eachOutput(f func(*output)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.subjects {
		if len(s.pending) > 0 && s.pending[0].run != nil {
			f(s.pending[0].run.output)
		}
	}
}

// Continue goes on with what the notifier of the former binary has left, once Resume is
// called: the notifier pauses.
func (n *Notifier) Continue(l *Left) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.paused {
		n.paused = true
		close(n.pause)
	}
	n.status = l.Status
	for i := range l.Subjects {
		left := &l.Subjects[i]
		s := &subject{key: subjectKey{left.Kind, left.Name}, state: left.State, rival: left.Rival, rivals: left.Rivals}
		n.subjects[s.key] = s
		for j := range left.Calls {
			if d := n.takeOver(&left.Calls[j]); d != nil {
				s.pending = append(s.pending, d)
			}
		}
		if len(s.pending) > 0 {
			n.ready = append(n.ready, s)
		}
	}
}

// Settle compares what was left with a configuration, in which exists tells whether there
// is a subject. Scripts that Options.Scripts does not have any more are called all the
// same, as after a reload; the log says so. The states of subjects that are gone are
// forgotten.
func (n *Notifier) Settle(exists func(Kind, string) bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.subjects {
		for _, d := range s.pending {
			n.compare(d)
		}
		if !exists(s.key.kind, s.key.name) {
			n.forget(s)
		}
	}
}

// compare says which scripts of a delivery are not configured any more.
func (n *Notifier) compare(d *delivery) {
	if n.scripts == nil {
		return
	}
	scripts := n.scripts(d.call.Event)
	configured := scripts.For(d.call.state)
	for _, c := range d.commands {
		if !slices.ContainsFunc(configured, func(other Command) bool { return slices.Equal(other.Argv, c.Argv) }) {
			n.scriptLog(&d.call, c).Warn("a script is run that is not configured any more: its call is older than the upgrade")
		}
	}
}

// takeOver returns the delivery of a call that was left; nil if this binary knows no such
// call.
func (n *Notifier) takeOver(l *LeftCall) *delivery {
	e := event.Event(l.Event)
	c, ok := callOf(&e)
	if !ok || len(l.Commands) == 0 {
		n.status.Dropped++
		n.log.Error("a script is not called: the former binary left it in a way that this one does not know", "kind", e.Kind, "name", e.Subject)
		return nil
	}
	d := &delivery{call: c, commands: l.Commands, begun: l.Begun}
	if l.Run != nil {
		d.run, d.lost = l.Run.takeOver(l.Commands[0].Argv[0], n.scriptLog(&c, l.Commands[0]))
	}
	return d
}

// takeOver returns a program that the former binary started, and whose output log gets.
func (l *LeftRun) takeOver(path string, log *slog.Logger) (*run, error) {
	pipe, err := inheritedPipe(l.FD)
	if err != nil {
		log.Warn("the output of a script is lost", "err", err)
		if pipe, err = os.Open(os.DevNull); err != nil {
			return nil, err
		}
	}
	process, err := program.Inherited(l.PID, l.End)
	if err != nil {
		pipe.Close()
		return nil, fmt.Errorf("its result is not known after the upgrade: %w", err)
	}
	r := &run{process: process, path: path, begun: l.Begun, again: true, output: &output{pipe: pipe, log: log, outputLog: l.Output}}
	if l.Reason != "" {
		r.reason = errors.New(l.Reason)
	}
	return r, nil
}

// leave returns what is left of a program that runs, whose output is not read.
func (r *run) leave() *LeftRun {
	l := &LeftRun{PID: r.process.PID(), End: r.process.End(), Begun: r.begun, FD: r.output.fd(), Output: r.output.outputLog}
	if r.reason != nil {
		l.Reason = r.reason.Error()
	}
	return l
}

// inheritedPipe returns a pipe that the former binary has left open. It does not touch a
// descriptor that is none.
func inheritedPipe(fd int) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("take over descriptor %d: %w", fd, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFIFO {
		return nil, fmt.Errorf("descriptor %d is not a pipe", fd)
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("take over descriptor %d: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), "output of a script"), nil
}

// fd returns the descriptor of the pipe, -1 if it is closed.
func (o *output) fd() (fd int) {
	fd = -1
	o.control(func(open uintptr) { fd = int(open) })
	return fd
}

// handOn has the next binary inherit the pipe; keep undoes that.
func (o *output) handOn() {
	o.control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETFD, 0) })
}

func (o *output) keep() { o.control(func(fd uintptr) { unix.CloseOnExec(int(fd)) }) }

func (o *output) control(f func(fd uintptr)) {
	if raw, err := o.pipe.SyscallConn(); err == nil {
		_ = raw.Control(f)
	}
}
