package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"
)

func newEvents(f *flags) *cobra.Command {
	var asJSON, follow, state bool
	var since uint64
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the journal of transitions, with reasons",
		Long: `Events prints the journal of the running daemon: transitions of virtual routers,
servers that went up or down, reloads, repairs. Each line is one event. With --since
it prints only the events after the one with that seq, which --json shows.

With --state it prints no past. It first prints the present state of every instance,
group, service and server, one per line; --json marks these with "snapshot":true. With
--follow it then prints each later change once.`,
		Args: noArguments,
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			encoder := json.NewEncoder(out)
			encoder.SetEscapeHTML(false)
			events := f.client().Events(cmd.Context(), since, follow)
			if state {
				events = f.client().States(cmd.Context(), follow)
			}
			for e, err := range events {
				if err != nil {
					return err
				}
				if asJSON {
					err = encoder.Encode(e)
				} else {
					_, err = fmt.Fprintln(out, e)
				}
				if err != nil {
					return fmt.Errorf("print an event: %w", err)
				}
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "then print new events as they happen")
	cmd.Flags().Uint64Var(&since, "since", 0, "leave out the events up to this `seq`")
	cmd.Flags().BoolVar(&state, "state", false, "begin with the present states instead of the past")
	cmd.MarkFlagsMutuallyExclusive("state", "since")
	return cmd
}
