package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/status"
)

// watchInterval is the time between two refreshes of status --watch.
const watchInterval = time.Second

// clearScreen puts the cursor to the top left corner of an empty screen.
const clearScreen = "\x1b[H\x1b[2J"

func newStatus(f *flags) *cobra.Command {
	var asJSON, watch bool
	look := lookFlags{colour: "auto"}
	sections := []string{string(status.SectionVRRP), string(status.SectionLVS), string(status.SectionChecks)}
	cmd := &cobra.Command{
		Use:   "status [vrrp|lvs|checks]",
		Short: "Show the state of the running daemon",
		Long: `Status shows the virtual routers, the IPVS table and the health checks. On a terminal
it takes one screen: what is unwell comes first, and what has no room is summed up. With
an argument it shows the whole of that section. Colours are used on a terminal, unless
the environment has NO_COLOR or TERM=dumb.

Its exit status is 1 if the daemon does not run
or something is unwell: for example a virtual router is in FAULT or has a rival, a
service has no server that is up, or the last reload failed.`,
		ValidArgs: sections,
		Args:      oneOf(sections...),
		PreRunE: func(*cobra.Command, []string) error {
			if asJSON && watch {
				return errors.New("status: --json and --watch cannot be used together")
			}
			return look.check()
		},
		RunE: do(func(cmd *cobra.Command, args []string) error {
			section := status.SectionAll
			if len(args) > 0 {
				section = status.Section(args[0])
			}
			client, out := f.client(), cmd.OutOrStdout()
			if watch {
				return watchStatus(cmd.Context(), client, out, section)
			}
			st, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(out, selectSection(st, section))
			} else {
				_, err = io.WriteString(out, st.Render(look.of(out, section)))
			}
			if err == nil && len(st.Unwell()) > 0 {
				return errUnwell
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&look.colour, "color", "auto", "`when` to use colours: auto, always or never")
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again every second")
	return cmd
}

// selectSection returns the part of the status that is printed as JSON.
func selectSection(s *status.Status, section status.Section) any {
	switch section {
	case status.SectionVRRP:
		return map[string]any{"version": s.Version, "vrrp": s.VRRP, "groups": s.Groups, "trackers": s.Trackers}
	case status.SectionLVS:
		return map[string]any{"version": s.Version, "lvs": s.LVS}
	case status.SectionChecks:
		return map[string]any{"version": s.Version, "checks": s.Checks}
	}
	return s
}

// watchStatus prints the status every second until ctx is done. While no daemon
// runs it prints that and goes on, because the daemon may be restarting.
func watchStatus(ctx context.Context, client *control.Client, out io.Writer, section status.Section) error {
	before := ""
	if isTerminal(out) {
		before = clearScreen
	}
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		st, err := client.Status(ctx)
		var text string
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, control.ErrNotRunning):
			text = err.Error() + "\n"
		case err != nil:
			return err
		default:
			text = st.Text(section)
		}
		if _, err := io.WriteString(out, before+text); err != nil {
			return fmt.Errorf("show the status: %w", err)
		}
		if before == "" {
			before = "\n" // not a terminal: separate the outputs by an empty line
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
