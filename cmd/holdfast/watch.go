package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/cmd/internal/watch"
)

// watchInterval is the time between two prints of status --watch where it is not shown
// on a terminal.
const watchInterval = time.Second

// watchStatus shows the status on a terminal that can place its cursor. Elsewhere it
// prints it every second.
func watchStatus(cmd *cobra.Command, client *control.Client, color colorMode, section status.Section) error {
	in, out := cmd.InOrStdin(), cmd.OutOrStdout()
	if term := os.Getenv("TERM"); !isTerminal(out) || !inputIsTerminal(in) || term == "dumb" || term == "" {
		return printStatus(cmd.Context(), client, out, section)
	}
	return watch.Run(cmd.Context(), watch.Options{
		Daemon: watchedDaemon{client}, In: in, Out: out, Colour: color.on(out), Section: section,
	})
}

func inputIsTerminal(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && isTerminal(file)
}

// watchedDaemon is the daemon behind the control socket as the view needs it.
type watchedDaemon struct{ client *control.Client }

func (d watchedDaemon) Status(ctx context.Context) (*status.Status, error) {
	return d.client.Status(ctx)
}

func (d watchedDaemon) Events(ctx context.Context, since event.Position) ([]event.Event, event.Position, error) {
	var events []event.Event
	for e, err := range d.client.Events(ctx, since, false) {
		if err != nil {
			return nil, since, err
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return nil, since, nil
	}
	last := events[len(events)-1]
	if at, err := event.ParsePosition(last.Cursor); err == nil {
		return events, at, nil
	}
	return events, event.Position{Seq: last.Seq}, nil
}

func (d watchedDaemon) Order(ctx context.Context, o watch.Order) error {
	_, err := d.client.Order(ctx, control.ServerOrder{Verb: control.ServerVerb(o.Verb), Service: o.Service, Server: o.Server})
	return err
}

// printStatus prints the status every second until ctx is done. While no daemon runs it
// prints that and goes on, because the daemon may be restarting.
func printStatus(ctx context.Context, client *control.Client, out io.Writer, section status.Section) error {
	between := ""
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
		if _, err := io.WriteString(out, between+text); err != nil {
			return fmt.Errorf("show the status: %w", err)
		}
		between = "\n"
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
