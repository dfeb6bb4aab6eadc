package watch

import (
	"context"
	"fmt"
	"io"
	"time"

	tea "charm.land/bubbletea/v2"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A Daemon is the running daemon as the view needs it. Its methods are called in
// goroutines.
type Daemon interface {
	Status(context.Context) (*status.Status, error)
	// Events returns the events after a place, and the place after them.
	Events(context.Context, event.Position) ([]event.Event, event.Position, error)
	Order(context.Context, Order) error
}

// Options say what is shown, and where.
type Options struct {
	Daemon  Daemon
	In      io.Reader
	Out     io.Writer
	Colour  bool
	Section status.Section // whose list is shown first
}

const (
	interval = time.Second
	// answerTimeout bounds the wait for an answer of the daemon.
	answerTimeout = 10 * time.Second
)

// Run shows the status until the user quits or ctx is done.
func Run(ctx context.Context, o Options) error {
	t := &terminal{ctx: ctx, daemon: o.Daemon, model: &model{colour: o.Colour, worst: true}}
	switch o.Section {
	case status.SectionLVS:
		t.model.pane = services
	case status.SectionChecks:
		t.model.pane = checks
	}
	program := tea.NewProgram(t, tea.WithContext(ctx), tea.WithInput(o.In), tea.WithOutput(o.Out), tea.WithFPS(20))
	if _, err := program.Run(); err != nil && ctx.Err() == nil {
		return fmt.Errorf("show the status: %w", err)
	}
	return nil
}

// A terminal is the model as Bubble Tea knows it.
type terminal struct {
	ctx    context.Context //nolint:containedctx // of all that the view asks the daemon
	daemon Daemon
	model  *model
	since  event.Position
}

type (
	answer struct {
		status *status.Status
		err    error
		events []event.Event
		since  event.Position
	}
	ordered struct {
		order Order
		err   error
	}
	due struct{}
)

// Init asks the daemon.
func (t *terminal) Init() tea.Cmd { return t.ask() }

func (t *terminal) ask() tea.Cmd {
	since := t.since
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(t.ctx, answerTimeout)
		defer cancel()
		a := answer{since: since}
		if a.status, a.err = t.daemon.Status(ctx); a.err == nil {
			a.events, a.since, a.err = t.daemon.Events(ctx, since)
		}
		return a
	}
}

func (t *terminal) carryOut(o Order) tea.Cmd {
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(t.ctx, answerTimeout)
		defer cancel()
		return ordered{o, t.daemon.Order(ctx, o)}
	}
}

// Update takes a message.
func (t *terminal) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	m := t.model
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		switch a := m.key(msg.Keystroke(), msg.Key().Text); {
		case a.quit:
			return t, tea.Quit
		case a.order != nil:
			return t, t.carryOut(*a.order)
		}
	case answer:
		m.update(msg.status, msg.err)
		m.add(msg.events)
		t.since = msg.since
		return t, tea.Tick(interval, func(time.Time) tea.Msg { return due{} })
	case due:
		return t, t.ask()
	case ordered:
		m.said = "done: " + msg.order.Verb + " " + msg.order.Service + " " + msg.order.Server
		if msg.err != nil {
			m.said = "refused: " + msg.err.Error()
		}
	}
	return t, nil
}

// View returns the screen.
func (t *terminal) View() tea.View {
	v := tea.NewView(t.model.view())
	v.AltScreen = true
	return v
}
