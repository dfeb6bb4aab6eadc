package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"holdfast/cmd/internal/director"
	"holdfast/conf"
)

func newRun(f *flags) *cobra.Command {
	var levelText, formatText string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon, in the foreground",
		Long: `Run runs the director until SIGTERM or SIGINT. SIGHUP reloads the configuration, as
"holdfast reload" does. systemd is told when everything is up.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Wrong flags are wrong usage whatever the configuration says.
			options, err := parseLogFlags(levelText, formatText)
			if err != nil {
				return err
			}
			if err := runDaemon(cmd, f, options); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&levelText, "log-level", "", "debug, info, warn or error (default: as configured)")
	cmd.Flags().StringVar(&formatText, "log-format", "", "auto, text, json or journal (default: as configured)")
	return cmd
}

// logFlags override the configuration where they are not nil.
type logFlags struct {
	level  *slog.Level
	format *conf.LogFormat
}

func parseLogFlags(level, format string) (logFlags, error) {
	var o logFlags
	var errs []error
	if level != "" {
		l, err := parseLevel(level)
		o.level, errs = &l, append(errs, err)
	}
	if format != "" {
		l, err := parseFormat(format)
		o.format, errs = &l, append(errs, err)
	}
	return o, errors.Join(errs...)
}

func runDaemon(cmd *cobra.Command, f *flags, o logFlags) error {
	c, err := conf.Load(f.config)
	if err != nil {
		return err
	}
	// A level that a flag has set is not the configuration's to change.
	level := new(slog.LevelVar)
	reloadable := level
	level.Set(c.Director.Log.Level)
	if o.level != nil {
		level.Set(*o.level)
		reloadable = nil
	}
	format := c.Director.Log.Format
	if o.format != nil {
		format = *o.format
	}
	log := slog.New(newLogHandler(cmd.ErrOrStderr(), format, level))

	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	ctx := cmd.Context()
	reload := make(chan struct{})
	go func() {
		for {
			select {
			case <-hangups:
			case <-ctx.Done():
				return
			}
			select {
			case reload <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	go func() {
		<-ctx.Done()
		notifySystemd(log, daemon.SdNotifyStopping)
	}()
	err = director.Run(ctx, director.Options{
		Path: f.config, Config: c, Socket: f.socket, Version: softwareVersion(),
		Log: log, Level: reloadable, Reload: reload,
		Ready: func() { notifySystemd(log, daemon.SdNotifyReady) },
	})
	if err != nil {
		return fmt.Errorf("holdfast: %w", err)
	}
	return nil
}

// notifySystemd tells systemd of the daemon's state; without systemd it does nothing.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "state", state, "err", err)
	}
}
