package main

import (
	"context"
	"errors"
	"io"
	stdlog "log" //nolint:depguard // its output, which is that of libraries, goes to slog
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/director"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/systemd"
	"holdfast/conf"
)

func newRun(f *flags) *cobra.Command {
	var levelText, formatText, record string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon, in the foreground",
		Long: `Run runs the director until SIGTERM or SIGINT. SIGHUP reloads the configuration, as
"holdfast reload" does. It notifies systemd when everything is up.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Check the flags first: wrong usage exits with 2 even if the configuration has errors.
			options, err := parseLogFlags(levelText, formatText)
			if err != nil {
				return err
			}
			if err := runDaemon(cmd, f, options, record); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&levelText, "log-level", "", "debug, info, warn or error (default: as configured)")
	cmd.Flags().StringVar(&formatText, "log-format", "", "auto, text, json or journal (default: as configured)")
	cmd.Flags().StringVar(&record, "ipvs-record", "", "keep the IPVS table in memory and append its changes to this file")
	_ = cmd.Flags().MarkHidden("ipvs-record") // it fails only for a flag that does not exist
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

// open returns the log, and its level for reloads: nil if a flag has set it.
func (o logFlags) open(out io.Writer, c *conf.Config) (log *slog.Logger, reloadable *slog.LevelVar) {
	level := new(slog.LevelVar)
	reloadable = level
	level.Set(c.Director.Log.Level)
	if o.level != nil {
		level.Set(*o.level)
		reloadable = nil
	}
	format := c.Director.Log.Format
	if o.format != nil {
		format = *o.format
	}
	return slog.New(newLogHandler(out, format, level)), reloadable
}

func runDaemon(cmd *cobra.Command, f *flags, o logFlags, ipvsRecord string) error {
	collectGarbage(whileStarting)
	early, unspoken := director.NewEarlySpeaker()
	leaking := program.KeepCapabilities()
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel()
	reload := hangups(ctx)
	// The daemon must survive a closed log pipe. While SIGPIPE is caught, the write
	// only fails. SIGPIPE is not ignored, because notify scripts would inherit that.
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	defer signal.Stop(pipes)

	c, warnings, err := conf.LoadContext(ctx, f.config)
	if err != nil {
		return err
	}
	log, level := o.open(cmd.ErrOrStderr(), c)
	quietLibraries(log)
	dir := c.Director.RuntimeDir // without c, which a reload replaces: it may be megabytes
	for _, w := range warnings {
		log.Warn("configuration warning", "warning", w.Error())
	}
	if unspoken != nil {
		log.Warn("no advert was sent until the configuration was read", "err", unspoken)
	}
	if leaking != nil {
		log.Warn("scripts have the capabilities of the daemon", "err", leaking)
	}
	manager, stopTelling := tellSystemd(log)
	defer stopTelling()
	defer context.AfterFunc(cmd.Context(), manager.Stopping)()
	err = director.Run(ctx, director.Options{
		Path: f.config, Config: c, Socket: f.socket, Version: softwareVersion(),
		Log: log, Level: level, Reload: reload, EarlySpeaker: early, Manager: manager, IPVSRecord: ipvsRecord,
		Busy: busy,
		Ready: func() {
			if err := keepCredentials(dir); err != nil {
				log.Warn("after a crash, release will not know the secrets", "err", err)
			}
			manager.Ready()
			calmDown()
		},
	})
	if err == nil {
		err = dropCredentials(dir)
	}
	return err
}

// quietLibraries gives what libraries print to the log, with the level debug. Package
// net/http prints a line for each frame that it does not expect of a server that is
// checked, and such a server could fill a disk.
func quietLibraries(to *slog.Logger) {
	stdlog.SetFlags(0)
	stdlog.SetOutput(slog.NewLogLogger(to.Handler(), slog.LevelDebug).Writer())
}

// hangups returns a channel that delivers each SIGHUP until ctx is done. Signals
// that arrive while one is waiting are merged into it.
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

// tellSystemd returns what tells systemd of the daemon's state, and a function that ends
// it when everything is told.
func tellSystemd(log *slog.Logger) (manager *systemd.Notifier, end func()) {
	manager = systemd.New(log)
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan struct{})
	go func() { manager.Run(ctx); close(told) }()
	return manager, func() { cancel(); <-told }
}
