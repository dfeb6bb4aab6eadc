package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/journal"
	"holdfast/conf"
)

func newEvents(f *flags) *cobra.Command {
	var asJSON, follow, state bool
	var since string
	var at event.Position
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show the journal of transitions, with reasons",
		Long: `Events prints the journal: transitions of virtual routers, servers that went up or
down, reloads, repairs. Each line is one event. While no daemon runs it reads the file
that the daemon keeps ([director] journal), and exits with 1.

--since leaves out what is older. It takes a time ("2026-03-01 12:00", "12:00", RFC
3339), a duration ("90s", "2h", "3d"), a cursor, or the number of an event. --json shows
cursor and number (seq) of each event. A cursor finds its place after a restart of the
daemon too; the events after it come once.

With --state it prints no past. It first prints the present state of every instance,
group, service and server, one per line; --json marks these with "snapshot":true. With
--follow it then prints each later change once.`,
		Args: noArguments,
		PreRunE: func(*cobra.Command, []string) (err error) {
			at, err = parseSince(since, time.Now())
			return err
		},
		RunE: do(func(cmd *cobra.Command, _ []string) error {
			show := showEvent(cmd.OutOrStdout(), asJSON)
			events := f.client().Events(cmd.Context(), at, follow)
			if state {
				events = f.client().States(cmd.Context(), follow)
			}
			err := showEvents(events, show)
			if !errors.Is(err, control.ErrNotRunning) || state {
				return err
			}
			return errors.Join(err, f.showFile(cmd.Context(), cmd.ErrOrStderr(), at, show))
		}),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object per line")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "then print new events as they happen")
	cmd.Flags().StringVar(&since, "since", "", "leave out events before this `time`, duration, cursor or seq")
	cmd.Flags().BoolVar(&state, "state", false, "begin with the present states instead of the past")
	cmd.MarkFlagsMutuallyExclusive("state", "since")
	return cmd
}

// showEvent returns a function that prints an event.
func showEvent(out io.Writer, asJSON bool) func(event.Event) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return func(e event.Event) (err error) {
		if asJSON {
			err = encoder.Encode(e)
		} else {
			_, err = fmt.Fprintln(out, e)
		}
		if err != nil {
			return fmt.Errorf("print an event: %w", err)
		}
		return nil
	}
}

func showEvents(events iter.Seq2[event.Event, error], show func(event.Event) error) error {
	for e, err := range events {
		if err == nil {
			err = show(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// showFile prints the events that the journal file has.
func (f *flags) showFile(ctx context.Context, notes io.Writer, at event.Position, show func(event.Event) error) error {
	path := ""
	if f.socket == "" || f.config != defaultConfig { // else another daemon than that of the default configuration is meant
		path = conf.JournalPath(f.config)
	}
	if path == "" {
		return nil
	}
	content, err := journal.Read(path)
	if err != nil {
		return fmt.Errorf("read the journal file: %w", err)
	}
	if len(content.Events) == 0 {
		return nil
	}
	fmt.Fprintf(notes, "these events are from %s\n", path)
	for _, e := range event.After(content.Events, content.Starts, at) {
		e.Cursor = event.Cursor(content.Starts, e.Seq)
		if err := show(e); err != nil || ctx.Err() != nil {
			return err
		}
	}
	return nil
}
