package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/status"
)

// serverArgs says how the arguments of the commands for servers name them.
const serverArgs = `SERVICE is the name of a service, or all. SERVER is the name of a server, its address with
the port, or its address alone, which means each of its ports.`

// orderFlags are the flags of the commands for servers.
type orderFlags struct {
	period  time.Duration // --for
	wait    bool
	timeout time.Duration
	asJSON  bool
}

func newDrain(f *flags) *cobra.Command {
	o := &orderFlags{}
	cmd := &cobra.Command{
		Use:   "drain SERVICE SERVER",
		Short: "Give a server no new connections",
		Long: `Drain sets the weight of a server to 0: it keeps its connections and gets no new ones. It
returns when the kernel has the weight. The server stays drained through checks, reloads,
upgrades and restarts of the daemon, until enable or the end of --for. If no other server
is left, the fallback gets the connections.

` + serverArgs,
		Args: o.args(2), ValidArgsFunction: f.names(serverNames),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, f, control.ServerOrder{Verb: control.Drain, Service: args[0], Server: args[1], For: o.period})
		}),
	}
	o.add(cmd)
	cmd.Flags().BoolVar(&o.wait, "wait", false, "return when the server has no active connections left on this director")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "with --wait: fail after this `time`; the server stays drained")
	return cmd
}

func newEnable(f *flags) *cobra.Command {
	o := &orderFlags{}
	cmd := &cobra.Command{
		Use:   "enable SERVICE SERVER",
		Short: "Take back drain and weight",
		Long: `Enable gives a server its configured weight again. With slow_start the weight rises. It
fails for a server that a file of the maintenance directory drains: remove the file.

` + serverArgs,
		Args: o.args(2), ValidArgsFunction: f.names(serverNames),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, f, control.ServerOrder{Verb: control.Enable, Service: args[0], Server: args[1]})
		}),
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

func newWeight(f *flags) *cobra.Command {
	o := &orderFlags{}
	cmd := &cobra.Command{
		Use:   "weight SERVICE SERVER N",
		Short: "Give a server another weight than the configured one",
		Long: `Weight sets the weight of a server until enable, until the end of --for, or until a reload
changes the configured weight. It is kept as drain is. Checks that give weights do not
change it.

` + serverArgs,
		ValidArgsFunction: f.names(serverNames),
		Args: func(cmd *cobra.Command, args []string) error {
			if err := o.args(3)(cmd, args); err != nil {
				return err
			}
			if n, err := strconv.Atoi(args[2]); err != nil || n < 0 {
				return notAWeight(args[2])
			}
			return nil
		},
		RunE: do(func(cmd *cobra.Command, args []string) error {
			n, _ := strconv.Atoi(args[2]) // Args has checked it
			return o.run(cmd, f, control.ServerOrder{Verb: control.Weight, Service: args[0], Server: args[1], Weight: n, For: o.period})
		}),
	}
	o.add(cmd)
	// A negative number looks like a flag.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
			if _, err := strconv.ParseUint(unknown.GetSpecifiedShortnames(), 10, 64); err == nil {
				return notAWeight("-" + unknown.GetSpecifiedShortnames())
			}
		}
		return plainFlagError(cmd, err)
	})
	return cmd
}

func notAWeight(text string) error {
	return fmt.Errorf("the weight must be a number from 0, not %q", text)
}

// args checks the number of arguments, and the flags.
func (o *orderFlags) args(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if o.period < 0 || o.timeout < 0 {
			return errors.New("a time must not be negative")
		}
		return arguments(n, n)(cmd, args)
	}
}

func (o *orderFlags) add(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.period, "for", 0, "end the order after this `time`, such as 5m; 0: not by itself")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print JSON")
}

// run gives the order, waits if that is asked for, and prints the servers.
func (o *orderFlags) run(cmd *cobra.Command, f *flags, order control.ServerOrder) error {
	client := f.client()
	done, err := client.Order(cmd.Context(), order)
	if err != nil {
		return err
	}
	for _, note := range done.Notes {
		fmt.Fprintln(cmd.ErrOrStderr(), "note:", note)
	}
	var late error
	if o.wait {
		done, late = awaitIdle(cmd.Context(), client, order.Service, order.Server, done, o.timeout)
	}
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), done)
	} else {
		printServers(cmd.OutOrStdout(), done)
	}
	return errors.Join(late, err)
}

func printServers(out io.Writer, list *control.Servers) {
	for i := range list.Servers {
		s := &list.Servers[i]
		fmt.Fprintf(out, "%s/%s: %s, weight %d", s.Service, s.Name, s.Health, s.Weight)
		if s.Weight != s.Configured {
			fmt.Fprintf(out, " of %d", s.Configured)
		}
		if who := status.OrderText(&s.ServerStatus); who != "" {
			fmt.Fprintf(out, ", %s", who)
		}
		fmt.Fprintf(out, ", %d active connections\n", s.Active)
	}
}

// idlePause is the pause between two looks at the connections.
const idlePause = 200 * time.Millisecond

// awaitIdle returns the servers when none of them has an active connection. An upgrade
// of the daemon meanwhile does not matter.
func awaitIdle(ctx context.Context, client *control.Client, service, server string, last *control.Servers, limit time.Duration) (*control.Servers, error) {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	tick := time.NewTicker(idlePause)
	defer tick.Stop()
	var err error
	for {
		active := uint64(0)
		for i := range last.Servers {
			active += uint64(last.Servers[i].Active)
		}
		if active == 0 {
			return last, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return last, errors.Join(fmt.Errorf("%d active connections are left after %v; the server stays drained", active, limit), err)
		}
		now, failed := client.Servers(ctx, service, server)
		if refused := (*control.RefusedError)(nil); errors.As(failed, &refused) {
			return last, failed // a reload has removed it
		}
		if err = failed; err == nil {
			last = now
		}
	}
}
