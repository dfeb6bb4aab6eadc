// Command holdfast runs an LVS director and talks to a running one.
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

// Exit codes; scripts depend on them.
const (
	exitWell  = 0
	exitFault = 1 // the asked thing failed, or is unwell
	exitUsage = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// A failure is the error of a command that was called as it should be.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

// errUnwell ends a command that has shown what is unwell, without a word more.
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
	case errors.As(err, &f):
		fmt.Fprintf(stderr, "%s\n", err)
		return exitFault
	}
	fmt.Fprintf(stderr, "%s\nTry '%s --help'.\n", err, cmd.CommandPath())
	return exitUsage
}
