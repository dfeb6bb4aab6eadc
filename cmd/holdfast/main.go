// Command holdfast runs the director daemon of an LVS cluster, and controls a running one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. Scripts depend on them: see docs/exit-codes-and-events.md.
const (
	exitWell  = 0
	exitFault = 1 // the command failed, or it found something unwell
	exitUsage = 2
	// exitChanges is that of plan alone: something would change.
	exitChanges = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A failure is an error of a correctly called command. Any other error is wrong usage.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errUnwell makes a command exit with exitFault without a message, because its
// output already shows what is unwell.
var errUnwell = errors.New("unwell")

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var f failure
	switch {
	case err == nil:
		return exitWell
	case errors.Is(err, errUnwell):
		return exitFault
	case errors.Is(err, errChanges):
		return exitChanges
	case errors.As(err, &f):
		fmt.Fprintf(stderr, "%s\n", err)
		return exitFault
	}
	fmt.Fprintf(stderr, "%s\nTry '%s --help'.\n", err, cmd.CommandPath())
	return exitUsage
}
