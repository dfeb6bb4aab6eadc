package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/status"
)

func newStatus(f *flags) *cobra.Command {
	var asJSON, watch bool
	var color colorMode
	sections := []string{string(status.SectionVRRP), string(status.SectionLVS), string(status.SectionChecks)}
	cmd := &cobra.Command{
		Use:   "status [vrrp|lvs|checks]",
		Short: "Show the state of the running daemon",
		Long: `Status shows the virtual routers, the IPVS table and the health checks. On a terminal
it takes one screen: what is unwell comes first, and what has no room is summed up. With
an argument it shows the whole of that section. Colours are used on a terminal, unless
the environment has NO_COLOR or TERM=dumb.

--watch keeps the status on the terminal; ? there shows the keys.

Its exit status is 1 if the daemon does not run or something is unwell: for example a
virtual router is in FAULT or has a rival, a service has no server that is up, or the
last reload failed.`,
		ValidArgs: sections,
		Args:      oneOf(sections...),
		PreRunE: func(*cobra.Command, []string) error {
			if asJSON && watch {
				return errors.New("status: --json and --watch cannot be used together")
			}
			return nil
		},
		RunE: do(func(cmd *cobra.Command, args []string) error {
			section := status.SectionAll
			if len(args) > 0 {
				section = status.Section(args[0])
			}
			client, out := f.client(), cmd.OutOrStdout()
			if watch {
				return watchStatus(cmd, client, color, section)
			}
			st, err := client.Status(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(out, selectSection(st, section))
			} else {
				_, err = io.WriteString(out, st.Render(lookOn(out, section, color)))
			}
			if err == nil && len(st.Unwell()) > 0 {
				return errUnwell
			}
			return err
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	color.flag(cmd)
	cmd.Flags().BoolVar(&watch, "watch", false, "show it on the terminal and keep it up to date; elsewhere print it every second")
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
