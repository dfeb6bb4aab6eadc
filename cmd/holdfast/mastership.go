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
	"holdfast/conf"
)

func newHandover(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "handover [GROUP|INSTANCE]",
		Short: "Hand mastership to another director without losing a packet",
		Long: `Handover makes another director MASTER of a group, or of an instance that is in no group.
Without an argument it hands over all groups and instances that are MASTER here. It
returns when the other director has taken over and this one has removed the addresses.
This director then stays BACKUP, even if its priority is higher, until the new MASTER
hands over or dies. If no director takes over, this one stays MASTER and handover fails.`,
		Args: arguments(0, 1), ValidArgsFunction: f.names(routerNames),
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

// upgradeTimeout is how long the new binary may take to answer.
const upgradeTimeout = 15 * time.Second

func newUpgrade(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "upgrade",
		Short: "Run the installed binary in place of the running one, without losing mastership",
		Long: `Upgrade makes the running daemon execute the binary that is now installed at the path it
was started from, in the same process. Virtual routers stay MASTER or BACKUP. Devices,
addresses and the IPVS table stay as they are. The new binary checks the configuration
first; if it refuses it, nothing changes. The command returns when the new binary answers.`,
		Args: noArguments,
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

// awaitRestart waits for a daemon that was started after before. It returns an error
// if the journal has, after the event seq, the reason why the upgrade failed.
func awaitRestart(ctx context.Context, client *control.Client, before time.Time, seq uint64) (*control.VersionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, upgradeTimeout)
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
	for e, err := range client.Events(ctx, event.Position{Seq: seq}, false) {
		if err == nil && e.Kind == event.KindDirector && e.To == "" {
			return e.Reason
		}
	}
	return ""
}

// lastEvent returns the number of the newest event.
func lastEvent(ctx context.Context, client *control.Client) (seq uint64, err error) {
	for e, err := range client.Events(ctx, event.Position{}, false) {
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
		Long: `Release does for a daemon that died what a clean stop would have done. It sends priority 0
and stops answering ARP, serves until another director has taken over, then removes devices
and addresses and restores sysctls. The IPVS table stays, for a restart to take over. If
the daemon left nothing, release does nothing. It fails while a daemon runs. The systemd
unit runs it as ExecStopPost.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			if err := useKeptCredentials(conf.RuntimeDir(f.config)); err != nil {
				return err
			}
			c, err := loadConfig(cmd.Context(), f.config)
			if err != nil {
				return err
			}
			err = director.Release(director.Options{
				Path: f.config, Config: c, Version: softwareVersion(),
				Log: slog.New(newLogHandler(cmd.ErrOrStderr(), c.Director.Log.Format, slog.LevelWarn)),
			})
			if err == nil {
				err = dropCredentials(c.Director.RuntimeDir)
			}
			return err
		}),
	}
}
