package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/director"
	"holdfast/cmd/internal/event"
)

func newHandover(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "handover [GROUP|INSTANCE]",
		Short: "Give mastership away without losing a packet",
		Long: `Handover makes another director MASTER of a group or a lone instance, or of all that are
MASTER here. It returns when the other one was heard and everything is released here. The
director then follows the new MASTER, even one of a lower priority, until that gives
mastership back or dies. If no director takes over, this one stays MASTER and says so.`,
		Args: cobra.MaximumNArgs(1),
		RunE: do(func(cmd *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			done, err := f.client().Handover(cmd.Context(), name)
			if err != nil {
				return err
			}
			for _, u := range done.Units {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: MASTER is %s (%.0f ms)\n", u.Name, u.To, u.TookMS)
			}
			return nil
		}),
	}
}

// upgradePatience is how long the new binary may take to answer.
const upgradePatience = 15 * time.Second

func newUpgrade(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade",
		Short: "Replace the running daemon by the installed binary, mastership kept",
		Long: `Upgrade has the running daemon execute the binary that is installed where it was started
from, in the same process. Virtual routers stay MASTER or BACKUP, devices, addresses and
the IPVS table stay as they are. The new binary is tried on the configuration first; if it
does not accept that, nothing happens. The command returns when the new binary answers.`,
		Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			client := f.client()
			before, err := client.Version(cmd.Context())
			if err != nil {
				return err
			}
			seq, err := lastEvent(cmd.Context(), client)
			if err != nil {
				return err
			}
			if _, err := client.Upgrade(cmd.Context()); err != nil {
				return err
			}
			after, err := awaitRestart(cmd.Context(), client, before.Started, seq)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is now %s (pid %d)\n", before.Software, after.Software, after.PID)
			return nil
		}),
	}
}

// awaitRestart waits until a daemon answers that was started after before, or one
// that wrote into its journal, after the event seq, why there is no other.
func awaitRestart(ctx context.Context, client *control.Client, before time.Time, seq uint64) (*control.VersionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, upgradePatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := client.Version(ctx)
		if err == nil && v.Started.After(before) {
			return v, nil
		}
		if failed := upgradeFailure(ctx, client, seq); failed != "" {
			return nil, errors.New(failed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(errors.New("the new binary does not answer; see the daemon's log"), err)
		}
	}
}

// upgradeFailure returns why an upgrade failed after the event seq; "" if none did.
func upgradeFailure(ctx context.Context, client *control.Client, seq uint64) string {
	for e, err := range client.Events(ctx, seq, false) {
		if err == nil && e.Kind == event.KindDirector && e.To == "" {
			return e.Reason
		}
	}
	return ""
}

// lastEvent returns the number of the newest event.
func lastEvent(ctx context.Context, client *control.Client) (seq uint64, err error) {
	for e, err := range client.Events(ctx, 0, false) {
		if err != nil {
			return 0, err
		}
		seq = e.Seq
	}
	return seq, nil
}

func newRelease(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "release",
		Short: "After a crash: hand over what the daemon left behind",
		Long: `Release does for a daemon that died what its clean stop would have done: it tells the other
directors, serves silently until one of them has taken over, and puts devices, addresses
and sysctls back. The IPVS table stays, for a restart to adopt. Where nothing was left
there is nothing to do. It is for ExecStopPost of the systemd unit, and refuses while a
daemon runs.`,
		Args: cobra.NoArgs,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd.Context(), f.config)
			if err != nil {
				return err
			}
			return director.Release(director.Options{
				Path: f.config, Config: c, Version: softwareVersion(),
				Log: slog.New(newLogHandler(cmd.ErrOrStderr(), c.Director.Log.Format, slog.LevelWarn)),
			})
		}),
	}
}
