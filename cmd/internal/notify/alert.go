package notify

import (
	"cmp"
	"context"
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
type AlertProgram struct{ o AlertProgramOptions }

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
func NewAlertProgram(o AlertProgramOptions) *AlertProgram { return &AlertProgram{o} }

// Close implements Transport.
func (*AlertProgram) Close() {}

// Deliver implements Transport. A program that fails is not called again for the
// same alert: what it has done until then is not known.
func (p *AlertProgram) Deliver(ctx context.Context, events []event.Event) (int, error) {
	for i := range events {
		for _, c := range p.calls(&events[i]) {
			if err := p.run(ctx, &c); err != nil {
				return i, &Refused{Err: err}
			}
		}
	}
	return len(events), nil
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

// run runs the program once and logs what it prints.
func (p *AlertProgram) run(ctx context.Context, c *alertCall) error {
	run, timeout := p.program(c)
	if len(run.Argv) == 0 {
		return nil
	}
	if err := run.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(timeout, DefaultTimeout))
	defer cancel()
	stdin, err := inMemory(c.stdin)
	if err != nil {
		return err
	}
	defer stdin.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the program's output: %w", err)
	}
	output := &output{pipe: read, log: p.o.Log.With("script", run.Argv[0])}
	output.begin()
	err = run.RunWith(ctx, append([]string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + p.o.Director}, c.env...), stdin, write)
	write.Close() // so that its end is seen
	output.finish(time.After)
	if err != nil {
		return fmt.Errorf("%s: %w", run.Argv[0], err)
	}
	return nil
}

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
