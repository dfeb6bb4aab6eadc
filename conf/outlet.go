package conf

import (
	"fmt"
	"slices"
)

// Notifications are the receivers of all events, in contrast to the commands of
// single instances, groups and services.
type Notifications struct {
	FIFOs    []FIFO
	Mail     Mail
	Webhooks []Webhook
	Traps    []Trap // they get alerts only
}

// EventKinds are the kinds of events in the journal that receivers can get.
var EventKinds = []string{"instance", "group", "rival", "priority", "service", "server", "operator", "tracker", "bfd", "repair", "problem", "config", "director", "notify", "resource", "fence", "fast", "alert"}

// keepalivedKinds are the kinds that the FIFO format of keepalived has words for.
var keepalivedKinds = []string{"instance", "group", "rival", "priority", "service", "server"}

// A FIFO is a named pipe to which events are written.
type FIFO struct {
	Path   string
	Format FIFOFormat
	Events []string // elements of EventKinds
	// User and Group own a pipe that holdfast creates. "" is the user of the
	// daemon, and the group of the user.
	User, Group string
	// Command is a program that reads the pipe. Its last argument is the path. It
	// is started again when it ends. Its Timeout is 0.
	Command        Command
	StatesOnReload bool // a reload writes the state of every instance and group
	// StatesToNewReader: the state of everything is written when Command is started
	// again, after an upgrade, and when a reload changes the pipe.
	StatesToNewReader bool
	Queue             int // how many events wait at most while the pipe is full
}

// A FIFOFormat is the format of the lines in a FIFO.
type FIFOFormat string

// The formats.
const (
	FIFOKeepalived FIFOFormat = "keepalived" // INSTANCE "outside" MASTER 150
	FIFOJSON       FIFOFormat = "json"       // as `holdfast events --json`
)

var fifoFormat = choice(
	option[FIFOFormat]{"keepalived", FIFOKeepalived},
	option[FIFOFormat]{"json", FIFOJSON},
)

var eventKind = textual("the kind of an event", func(s string) (string, error) {
	if !slices.Contains(EventKinds, s) {
		return "", fmt.Errorf("must be %s, not %s%s", orList(EventKinds), quoteShort(s), suggest(s, EventKinds))
	}
	return s, nil
}, func(s string) string { return s })

var queueLength = integer[int](1, 100_000)

func (n *Notifications) visit(t *table, director string) {
	t.maybe("mail", n.Mail.Server != "", func(t *table) { n.Mail.visit(t, director) })
	hooks := list(t, "webhook", &n.Webhooks, func(t *table, w *Webhook) { w.visit(t) })
	names := make(unique[string])
	for i, h := range hooks {
		h.useOnce(names, "name", n.Webhooks[i].Name)
	}
	traps := list(t, "trap", &n.Traps, func(t *table, r *Trap) { r.visit(t) })
	managers := make(unique[string])
	for i, r := range traps {
		r.useOnce(managers, "name", n.Traps[i].Name)
	}
	pipes := list(t, "fifo", &n.FIFOs, func(t *table, f *FIFO) { f.visit(t) })
	seen := make(unique[string])
	for i, p := range pipes {
		p.useOnce(seen, "path", n.FIFOs[i].Path)
	}
}

func (f *FIFO) visit(t *table) {
	need(t, "path", &f.Path, absolutePath)
	field(t, "format", &f.Format, fifoFormat, FIFOKeepalived)
	kinds := keepalivedKinds
	if f.Format == FIFOJSON {
		kinds = EventKinds
	}
	visitEvents(t, &f.Events, kinds)
	field(t, "user", &f.User, anyAccount, "")
	field(t, "group", &f.Group, anyAccount, "")
	field(t, "command", &f.Command, untimedCommand, Command{})
	field(t, "states_on_reload", &f.StatesOnReload, boolean, false)
	field(t, "states_to_new_reader", &f.StatesToNewReader, boolean, true)
	field(t, "queue", &f.Queue, queueLength, 1024)
	if !t.reading() || f.Format == FIFOJSON || !t.ok("format") {
		return
	}
	for _, kind := range f.Events {
		if !slices.Contains(keepalivedKinds, kind) && t.ok("events") {
			t.failf("events", "the format of keepalived has no words for %q: use format = %q", kind, FIFOJSON)
		}
	}
}

// visitEvents visits the key events.
func visitEvents(t *table, p *[]string, def []string) {
	field(t, "events", p, listOf(eventKind), def)
	if t.reading() && t.ok("events") && len(*p) == 0 {
		t.failf("events", "needs at least one kind of event")
	}
}
