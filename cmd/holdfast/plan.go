package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/director"
)

// errChanges makes plan exit with exitChanges, because its output shows changes.
var errChanges = errors.New("changes")

func newPlan(f *flags) *cobra.Command {
	var asJSON bool
	var color colorMode
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a reload would change in the kernel now",
		Long: `Plan asks the running daemon to compare its configuration file with what it runs and with
the kernel, and prints each step of a reload. If no daemon runs, it prints each step of a
start. It changes nothing. A line begins with + for what comes, - for what goes, and ~ for
what changes. The exit status is 0 if nothing would change, and 3 if something would.`,
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
				err = printJSON(out, plan)
			} else {
				err = printPlan(out, plan, color.on(out))
			}
			if err == nil && len(plan.Steps) > 0 {
				return errChanges
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	color.flag(cmd)
	return cmd
}

// printPlan prints the steps of a plan as a diff.
func printPlan(w io.Writer, plan *control.Plan, colors bool) error {
	if len(plan.Steps) == 0 {
		_, err := fmt.Fprintln(w, "nothing would change")
		return err
	}
	for _, step := range plan.Steps {
		sign, color := "~", yellow
		switch step.Change {
		case control.Added:
			sign, color = "+", green
		case control.Removed:
			sign, color = "-", red
		}
		line := fmt.Sprintf("%s %-8s %s", sign, step.Area, step.Text)
		if colors {
			line = color.paint(line)
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return fmt.Errorf("print the plan: %w", err)
		}
	}
	return nil
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
