package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

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
"holdfast reload" does. It notifies systemd when everything is up.`,
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
	collectGarbage(whileStarting)
	early, unspoken := director.NewEarlySpeaker()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	reload := hangups(ctx)
	// A reader of the log that goes away must not take the daemon with it:
	// where somebody takes note of SIGPIPE, the write fails, and that is all.
	// Ignoring it would be inherited by notify scripts.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)

	c, warnings, err := conf.LoadContext(ctx, f.config)
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
	for _, w := range warnings {
		log.Warn("configuration warning", "warning", w.Error())
	}
	if unspoken != nil {
		log.Warn("no advert was sent until the configuration was read", "err", unspoken)
	}

	defer context.AfterFunc(cmd.Context(), func() { notifySystemd(log, daemon.SdNotifyStopping) })()
	return director.Run(ctx, director.Options{
		Path: f.config, Config: c, Socket: f.socket, Version: softwareVersion(),
		Log: log, Level: reloadable, Reload: reload, EarlySpeaker: early,
		Ready: func() {
			notifySystemd(log, daemon.SdNotifyReady)
			collectGarbage(whileRunning)
			time.AfterFunc(calm, debug.FreeOSMemory)
		},
	})
}

// How much garbage may lie about, in percent of what is in use. While the daemon
// starts it is in a hurry, and most of what it makes stays; afterwards what it
// throws away is little and soon done with.
const (
	whileStarting = 400
	whileRunning  = 50
)

// calm is how long after the start what only that needed is given back.
const calm = 2 * time.Second

// collectGarbage sets that, unless the environment does.
func collectGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// hangups returns a channel that delivers each SIGHUP until ctx is done; some
// that come together count as one.
func hangups(ctx context.Context) <-chan struct{} {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	reload := make(chan struct{})
	go func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
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
	return reload
}

// notifySystemd tells systemd of the daemon's state; without systemd it does nothing.
func notifySystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("cannot notify systemd", "state", state, "err", err)
	}
}
