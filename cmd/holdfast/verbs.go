package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
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
