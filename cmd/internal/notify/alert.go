package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

// An AlertProgram is a transport that runs a program for each alert. The program
// gets the text of the alert on standard input. Without Mon its arguments are
//
//	ALERT name DOWN|UP number
//
// after its own, in the order of keepalived's notify scripts. With Mon it is called
// as mon calls its alerts, once for each service and direction, its own arguments
// last:
//
//	-s server -g SERVICE -h "HOST HOST" -t SECONDS [-u] …
//
// with the first line of standard input, and the variables of mon's environment.
//
// For the start of the daemon or an acknowledgement, STARTUP or ACK stands for DOWN. Mon
// gives an acknowledgement the flag -a, and a start none.
type AlertProgram struct {
	o    AlertProgramOptions
	hand *alertInHand // nil: none
}

// AlertProgramOptions configure an AlertProgram.
type AlertProgramOptions struct {
	Program program.Program // without Argv: nothing runs for failures
	// Recovery replaces Program for recoveries if it has an Argv.
	Recovery program.Program
	// Startup and Ack run for the start of the daemon and for an acknowledgement; without
	// Argv nothing does.
	Startup, Ack ProgramCall
	Mon          bool
	// Bare says that Program gets its own arguments only, RecoveryBare that Recovery
	// does.
	Bare, RecoveryBare bool

	// Timeout and RecoveryTimeout are those of the two; 0: DefaultTimeout.
	Timeout, RecoveryTimeout time.Duration

	Director string
	Log      *slog.Logger
}

// A ProgramCall is a program, and how it is called.
type ProgramCall struct {
	program.Program
	Bare    bool          // it gets its own arguments only
	Timeout time.Duration // 0: DefaultTimeout
}

// NewAlertProgram returns a transport.
func NewAlertProgram(o AlertProgramOptions) *AlertProgram { return &AlertProgram{o: o} }

// Close implements Transport.
func (*AlertProgram) Close() {}

// Deliver implements Transport. A program that fails is not called again for the
// same alert: what it has done until then is not known. One that runs when the sink rests
// goes on, in hand.
func (p *AlertProgram) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if p.hand != nil { // of the former binary; nothing else was delivered before
		err := p.work(ctx)
		if err != nil && p.hand == nil {
			err = &Refused{Err: err}
		}
		return 0, err
	}
	for i := range events {
		if ctx.Err() != nil {
			return i, context.Cause(ctx)
		}
		p.hand = &alertInHand{event: events[i]}
		err := p.work(ctx)
		if p.hand != nil {
			return i + 1, err
		}
		if err != nil {
			return i, &Refused{Err: err}
		}
	}
	return len(events), nil
}

// An alertInHand is an alert for which programs are being called.
type alertInHand struct {
	event event.Event
	done  int  // calls
	run   *run // of the next call; nil: it is not started
}

// work makes the calls that are left of the alert in hand, until one fails. The alert stays
// in hand if the sink rests before the end.
func (p *AlertProgram) work(ctx context.Context) error {
	calls := p.calls(&p.hand.event)
	for p.hand.done < len(calls) {
		err := p.call(ctx, &calls[p.hand.done])
		if p.hand.run != nil {
			return err
		}
		if err != nil {
			p.hand = nil
			return err
		}
		p.hand.done++
	}
	p.hand = nil
	return nil
}

// An alertCall is one run of the program.
type alertCall struct {
	args  []string
	env   []string
	stdin string
	up    bool   // of a recovery
	call  string // event.Alert.Call
}

func (p *AlertProgram) calls(e *event.Event) []alertCall {
	if e.Alert == nil {
		return nil
	}
	if p.o.Mon {
		return monCalls(e)
	}
	n, state := e.Alert.DownTotal, e.To
	switch {
	case e.Alert.Call == callStartup:
		n, state = 0, "STARTUP"
	case e.Alert.Call == callAck:
		state = "ACK"
	case e.To == event.Up:
		n = e.Alert.UpTotal
	}
	c := alertCall{
		args: []string{"ALERT", e.Subject, state, strconv.Itoa(n)},
		env: []string{
			"HOLDFAST_ALERT=" + e.Subject, "HOLDFAST_STATE=" + state, "HOLDFAST_SUMMARY=" + oneLine(e.Reason),
			"HOLDFAST_DOWN=" + strconv.Itoa(e.Alert.DownTotal), "HOLDFAST_UP=" + strconv.Itoa(e.Alert.UpTotal),
		},
		stdin: e.Alert.Text,
		up:    e.To == event.Up,
		call:  e.Alert.Call,
	}
	if e.Alert.Call == callAck {
		c.env = append(c.env, "HOLDFAST_ACK_BY="+oneLine(e.Alert.By), "HOLDFAST_ACK_COMMENT="+oneLine(e.Alert.Comment))
	}
	return []alertCall{c}
}

// The values of event.Alert.Call that have a program of their own.
const (
	callStartup = "startup"
	callAck     = "ack"
)

// call runs the program once, or goes on with it, and logs what it prints. If the sink rests
// before its end, the run stays in hand.
func (p *AlertProgram) call(ctx context.Context, c *alertCall) error {
	if p.hand.run == nil {
		r, err := p.start(c)
		if r == nil || err != nil {
			return err
		}
		p.hand.run = r
	}
	r := p.hand.run
	r.output.begin()
	err := superviseAlert(ctx, r)
	if errors.Is(err, errRests) {
		r.output.pause()
		return err
	}
	p.hand.run = nil
	_, failed := r.process.Wait()
	r.output.finish(time.After)
	if err = cmp.Or(err, failed); err != nil {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	return nil
}

// superviseAlert returns when a program has ended, or the sink rests (errRests). A program
// whose time is over, or that is not to run any more, is killed with its group.
func superviseAlert(ctx context.Context, r *run) error {
	reason := context.DeadlineExceeded
	select {
	case <-r.process.Exited():
		return nil
	case <-time.After(r.process.Left()):
	case <-ctx.Done():
		reason = context.Cause(ctx)
	}
	if !errors.Is(reason, errRests) {
		r.process.Signal(unix.SIGKILL)
	}
	return reason
}

// start starts the program of a call; nil: there is none.
func (p *AlertProgram) start(c *alertCall) (*run, error) {
	program, timeout := p.program(c)
	if len(program.Argv) == 0 {
		return nil, nil
	}
	if err := program.Check(); err != nil {
		return nil, err
	}
	stdin, err := inMemory(c.stdin)
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for the program's output: %w", err)
	}
	program.Limit = cmp.Or(timeout, DefaultTimeout)
	process, err := program.StartWith(slices.Concat(p.environ(), c.env), stdin, write)
	write.Close() // so that its end is seen
	if err != nil {
		read.Close()
		return nil, fmt.Errorf("%s: %w", program.Argv[0], err)
	}
	return &run{process: process, path: program.Argv[0], output: &output{pipe: read, log: p.scriptLog(program.Argv[0])}}, nil
}

func (p *AlertProgram) environ() []string {
	return []string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + p.o.Director}
}

func (p *AlertProgram) scriptLog(path string) *slog.Logger { return p.o.Log.With("script", path) }

// program returns the program with the arguments of a call. mon puts the
// administrator's own last.
func (p *AlertProgram) program(c *alertCall) (run program.Program, timeout time.Duration) {
	run, bare, timeout := p.o.Program, p.o.Bare, p.o.Timeout
	switch {
	case c.call == callStartup:
		run, bare, timeout = p.o.Startup.Program, p.o.Startup.Bare, p.o.Startup.Timeout
	case c.call == callAck:
		run, bare, timeout = p.o.Ack.Program, p.o.Ack.Bare, p.o.Ack.Timeout
	case c.up && len(p.o.Recovery.Argv) > 0:
		run, bare, timeout = p.o.Recovery, p.o.RecoveryBare, p.o.RecoveryTimeout
	}
	switch {
	case bare || len(run.Argv) == 0:
	case p.o.Mon:
		run.Argv = slices.Concat(run.Argv[:1], c.args, run.Argv[1:])
	default:
		run.Argv = slices.Concat(run.Argv, c.args)
	}
	return run, timeout
}

// inMemory returns an open file with a text, which a program can read as its input
// for as long as it likes.
func inMemory(text string) (*os.File, error) {
	fd, err := unix.MemfdCreate("alert", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make the program's input: %w", err)
	}
	f := os.NewFile(uintptr(fd), "alert")
	if _, err = f.WriteString(text); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("make the program's input: %w", err)
	}
	return f, nil
}
