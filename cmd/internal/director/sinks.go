package director

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp"
)

// A FIFO that cannot be written is tried again soon: to try costs little.
const (
	fifoRetryMin = 100 * time.Millisecond
	fifoRetryMax = 5 * time.Second
)

// A sink is one of the ways by which others hear of events.
type sink struct {
	*notify.Sink
	key    string // by which a reload knows what stays, and the log what it is
	name   string // for people
	spec   any    // what it was made of
	events []string
	lines  bool // hears keepalived's lines, not the journal
	states bool // hears the states after a reload
}

// wants reports whether the sink is told of an event: of one in the journal, or of
// one that keepalived's lines tell of.
func (s *sink) wants(e *event.Event) bool {
	fit := !e.NotJournaled
	if s.lines {
		fit = notify.HasCall(e)
	}
	return fit && slices.Contains(s.events, e.Kind)
}

// A plannedSink is a sink of a configuration.
type plannedSink struct {
	sink
	options notify.SinkOptions
}

// plannedSinks returns the sinks of a configuration.
func (d *Director) plannedSinks(c *conf.Config) []plannedSink {
	var list []plannedSink
	for i := range c.Notify.FIFOs {
		f := &c.Notify.FIFOs[i]
		o := notify.FIFOOptions{
			Path: f.Path, User: f.User, Group: f.Group, JSON: f.Format == conf.FIFOJSON, Director: c.Director.Name, Log: d.log,
		}
		if len(f.Command.Argv) > 0 {
			p := runAs(&f.Command, &c.Director)
			o.Reader = &p
		}
		list = append(list, plannedSink{
			sink{key: "fifo " + f.Path, name: "fifo " + f.Path, spec: []any{*f, o.Reader, o.Director}, events: f.Events, lines: !o.JSON, states: f.StatesOnReload},
			notify.SinkOptions{Transport: notify.NewFIFO(o), Queue: f.Queue, RetryMin: fifoRetryMin, RetryMax: fifoRetryMax},
		})
	}
	for i := range c.Notify.Webhooks {
		list = append(list, webhookSink(&c.Notify.Webhooks[i], c.Director.Name))
	}
	if m := &c.Notify.Mail; m.Server != "" {
		list = append(list, d.mailSink(m, c.Director.Name))
	}
	return list
}

func webhookSink(w *conf.Webhook, director string) plannedSink {
	o := notify.WebhookOptions{
		URL: w.URL, Headers: make(map[string]string, len(w.Headers)), Secret: string(w.Secret), Token: string(w.Token),
		Timeout: w.Timeout, Director: director,
	}
	for _, h := range w.Headers {
		o.Headers[h.Name] = h.Value
	}
	if w.CA != "" {
		o.CA = []byte(w.CAText)
	}
	return plannedSink{
		sink{key: "webhook " + w.Name, name: "webhook " + w.Name, spec: []any{*w, director}, events: w.Events},
		retrying(&w.Retry, notify.SinkOptions{Transport: notify.NewWebhook(o)}),
	}
}

func (d *Director) mailSink(m *conf.Mail, director string) plannedSink {
	o := notify.MailOptions{
		Server: m.Server, From: m.From, To: m.To, Helo: m.Helo, TLS: notify.MailTLS(m.TLS), User: m.User, Password: string(m.Password),
		Timeout: m.Timeout, Director: director, State: d.stateText,
	}
	if m.CA != "" {
		o.CA = []byte(m.CAText)
	}
	return plannedSink{
		sink{key: "mail", name: "mail " + m.Server, spec: []any{*m, director}, events: m.Events},
		retrying(&m.Retry, notify.SinkOptions{Transport: notify.NewMail(o), Gather: m.Gather}),
	}
}

// retrying adds to options what becomes of failures.
func retrying(r *conf.Retry, o notify.SinkOptions) notify.SinkOptions {
	o.RetryMin, o.RetryMax, o.GiveUp, o.Queue = r.Pause, r.PauseMax, r.GiveUp, r.Queue
	return o
}

// stateText is the status for people, "" if the loop does not tell in time, as
// when it stops.
func (d *Director) stateText(ctx context.Context) string {
	text := make(chan string, 1)
	err := d.ask(ctx, func() {
		if s, err := d.status(); err == nil {
			text <- s.Text(status.SectionAll)
		} else {
			text <- ""
		}
	})
	if err != nil {
		return ""
	}
	return <-text
}

// applySinks takes the sinks of a configuration over. One that is as before goes
// on; of one that is not, what waits is told in the new way.
func (d *Director) applySinks(c *conf.Config) {
	former := d.sinks
	d.sinks = nil
	for _, p := range d.plannedSinks(c) {
		s := p.sink
		if i := slices.IndexFunc(former, func(f *sink) bool { return f.key == s.key }); i >= 0 {
			s.Sink = former[i].Sink
			if !reflect.DeepEqual(former[i].spec, s.spec) {
				s.Reconfigure(p.options)
			}
			former = slices.Delete(slices.Clone(former), i, i+1)
		} else {
			s.Sink = notify.NewSink(s.key, d.log, p.options)
		}
		d.sinks = append(d.sinks, &s)
	}
	for _, f := range former {
		d.threads.Go(func() { closeSinks(context.Background(), []*sink{f}) })
	}
}

// closeSinks ends sinks, all at once, and gives them some time to tell the rest.
func closeSinks(ctx context.Context, list []*sink) {
	ctx, cancel := context.WithTimeout(ctx, scriptGrace)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range list {
		all.Go(func() { s.Close(ctx) })
	}
	all.Wait()
}

// closeAllSinks ends all sinks. It may be called again.
func (d *Director) closeAllSinks() {
	closeSinks(context.Background(), d.sinks)
	d.sinks = nil
}

// tellSinks hands an event to the sinks that want its kind.
func (d *Director) tellSinks(e *event.Event) {
	for _, s := range d.sinks {
		if s.wants(e) {
			s.Send(*e)
		}
	}
}

// publishStates tells those sinks that want it what every instance and group is.
func (d *Director) publishStates() {
	if !slices.ContainsFunc(d.sinks, func(s *sink) bool { return s.states }) {
		return
	}
	snap, err := d.speaker.Snapshot()
	if err != nil {
		return // it has ended, and so does the director
	}
	tell := func(e event.Event) {
		e.At, e.Reason = snap.At, "reloaded"
		for _, s := range d.sinks {
			if s.states && s.wants(&e) {
				s.Send(e)
			}
		}
	}
	for i := range d.conf.VRRP {
		name := d.conf.VRRP[i].Name
		if st, ok := snap.Routers[name]; ok {
			tell(event.Event{
				Kind: event.KindInstance, Subject: name, To: listedState(st.Machine.State),
				Instance: &event.Instance{State: st.Machine.State.String(), Priority: int(st.Machine.Priority)},
			})
		}
	}
	for _, g := range d.conf.Groups {
		if st, ok := snap.Groups[g.Name]; ok {
			tell(event.Event{Kind: event.KindGroup, Subject: g.Name, To: listedState(st.State), Group: &event.Group{Members: g.Members}})
		}
	}
}

// listedState is a state as lists of states have it, which keepalived's scripts
// set the words for.
func listedState(s vrrp.State) string {
	if s == vrrp.Init {
		return event.Stop
	}
	return s.String()
}

// outlets is how the scripts and the sinks are.
func (d *Director) outlets() []status.Outlet {
	list := []status.Outlet{outlet(status.OutletScripts, d.notifier.Status())}
	for _, s := range d.sinks {
		list = append(list, outlet(s.name, s.Status()))
	}
	return list
}

func outlet(name string, s notify.SinkStatus) status.Outlet {
	return status.Outlet{
		Name: name, Queued: s.Queued, Delivered: s.Delivered, Dropped: s.Dropped,
		LastDelivery: s.LastDelivery, LastError: s.LastError, LastErrorAt: s.LastErrorAt, FailingSince: s.FailingSince,
	}
}
