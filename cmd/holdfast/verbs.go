package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/director"
	"holdfast/cmd/internal/status"
)

func newReload(f *flags) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Apply the configuration file to the running daemon",
		Long: `Reload makes the running daemon read its configuration file and apply what differs. It
returns when that is done, and prints each change. If the file has an error, nothing
changes and the errors are printed.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			done, err := f.client().Reload(cmd.Context())
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			for _, change := range done.Changes {
				fmt.Fprintln(out, change)
			}
			if len(done.Changes) == 0 {
				fmt.Fprintln(out, "nothing to change")
			}
			return nil
		}),
	}
}

func newPlan(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a reload would change in the kernel now",
		Long: `Plan asks the running daemon to compare its configuration file with what it runs and with
the kernel, and prints each step of a reload. If no daemon runs, it prints each step of a
start. It changes nothing.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			plan, err := f.client().Plan(cmd.Context())
			if errors.Is(err, control.ErrNotRunning) {
				plan, err = previewStart(cmd, f)
			}
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, plan)
			}
			for _, step := range plan.Steps {
				fmt.Fprintf(out, "%-8s %s\n", step.Area, step.Text)
			}
			if len(plan.Steps) == 0 {
				fmt.Fprintln(out, "nothing would change")
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// previewStart returns the changes that a start of the daemon would make.
func previewStart(cmd *cobra.Command, f *flags) (*control.Plan, error) {
	c, err := loadConfig(cmd.Context(), f.config)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	return director.Preview(cmd.Context(), f.config, c, log)
}

// version is set by the linker in a release.
var version string

// softwareVersion returns the version of the release, else the module's version,
// which Go derives from the commit, else "(devel)".
func softwareVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}

func newVersion(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of the running daemon",
		Args:  noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			// The version of this program is worth printing even if the daemon
			// does not answer.
			daemon, err := f.client().Version(cmd.Context())
			if err != nil && !errors.Is(err, control.ErrNotRunning) {
				fmt.Fprintf(cmd.ErrOrStderr(), "version of the running daemon: %v\n", err)
			}
			out := cmd.OutOrStdout()
			if asJSON {
				return printJSON(out, map[string]any{"version": status.Version, "software": softwareVersion(), "go": runtime.Version(), "daemon": daemon})
			}
			fmt.Fprintf(out, "holdfast %s %s\n", softwareVersion(), runtime.Version())
			if daemon != nil {
				fmt.Fprintf(out, "daemon   %s %s pid %d\n", daemon.Software, daemon.Go, daemon.PID)
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return fmt.Errorf("print JSON: %w", err)
	}
	return nil
}
