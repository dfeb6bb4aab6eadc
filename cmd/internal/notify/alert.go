package notify

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
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
type AlertProgram struct{ o AlertProgramOptions }

// AlertProgramOptions configure an AlertProgram.
type AlertProgramOptions struct {
	Program  program.Program
	Mon      bool
	Bare     bool          // the program gets its own arguments only
	Timeout  time.Duration // 0: DefaultTimeout
	Director string
	Log      *slog.Logger
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
}

func (p *AlertProgram) calls(e *event.Event) []alertCall {
	if e.Alert == nil {
		return nil
	}
	if p.o.Mon {
		return monCalls(e)
	}
	n := e.Alert.DownTotal
	if e.To == event.Up {
		n = e.Alert.UpTotal
	}
	return []alertCall{{
		args: []string{"ALERT", e.Subject, e.To, strconv.Itoa(n)},
		env: []string{
			"HOLDFAST_ALERT=" + e.Subject, "HOLDFAST_STATE=" + e.To, "HOLDFAST_SUMMARY=" + oneLine(e.Reason),
			"HOLDFAST_DOWN=" + strconv.Itoa(e.Alert.DownTotal), "HOLDFAST_UP=" + strconv.Itoa(e.Alert.UpTotal),
		},
		stdin: e.Alert.Text,
	}}
}

// monCalls returns a call for each service of an alert. mon's group is the service,
// its hosts are the servers. What has no servers is a group of its own name.
func monCalls(e *event.Event) []alertCall {
	var calls []alertCall
	add := func(all []event.AlertEntry, up bool) {
		groups := map[string][]event.AlertEntry{}
		var order []string
		for _, entry := range all {
			group, _, _ := strings.Cut(entry.Subject, "/")
			if groups[group] == nil {
				order = append(order, group)
			}
			groups[group] = append(groups[group], entry)
		}
		for _, group := range order {
			calls = append(calls, monCall(group, groups[group], e.At, up))
		}
	}
	add(e.Alert.Down, false)
	add(e.Alert.Up, true)
	return calls
}

func monCall(group string, all []event.AlertEntry, at time.Time, up bool) alertCall {
	var hosts []string
	detail := ""
	first := all[0].Since
	for _, entry := range all {
		host := entry.Subject
		if _, server, isServer := strings.Cut(entry.Subject, "/"); isServer {
			host = server
		}
		hosts = append(hosts, host)
		detail += host + ": " + oneLine(entry.Reason) + "\n"
		if entry.Since.Before(first) {
			first = entry.Since
		}
	}
	summary, kind := strings.Join(hosts, " "), all[0].Kind
	c := alertCall{
		args: []string{"-s", kind, "-g", group, "-h", summary, "-t", strconv.FormatInt(at.Unix(), 10)},
		env: []string{
			"MON_GROUP=" + group, "MON_SERVICE=" + kind, "MON_LAST_SUMMARY=" + summary, "MON_LAST_OUTPUT=" + detail,
			"MON_FIRST_FAILURE=" + strconv.FormatInt(first.Unix(), 10), "MON_LAST_FAILURE=" + strconv.FormatInt(at.Unix(), 10),
			"MON_RETVAL=1", "MON_ALERTTYPE=failure",
		},
		stdin: summary + "\n" + detail,
	}
	if up {
		c.args = append(c.args, "-u")
		c.env[len(c.env)-1] = "MON_ALERTTYPE=up"
	}
	return c
}

// run runs the program once and logs what it prints.
func (p *AlertProgram) run(ctx context.Context, c *alertCall) error {
	if err := p.o.Program.Check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(p.o.Timeout, DefaultTimeout))
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
	defer read.Close()
	output := make(chan struct{})
	go func() {
		defer close(output)
		logLines(read, p.o.Log.With("script", p.o.Program.Argv[0]))
	}()
	run := p.program(c)
	err = run.RunWith(ctx, append([]string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + p.o.Director}, c.env...), stdin, write)
	write.Close() // so that its end is seen
	select {
	case <-output:
	case <-time.After(outputLag):
		read.Close()
		<-output
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.o.Program.Argv[0], err)
	}
	return nil
}

// program returns the program with the arguments of a call. mon puts the
// administrator's own last.
func (p *AlertProgram) program(c *alertCall) program.Program {
	run := p.o.Program
	switch {
	case p.o.Bare:
	case p.o.Mon:
		run.Argv = slices.Concat(run.Argv[:1], c.args, run.Argv[1:])
	default:
		run.Argv = slices.Concat(run.Argv, c.args)
	}
	return run
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
