package director

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A FIFO that cannot be written is tried again soon: to try costs little.
const (
	fifoRetryMin = 100 * time.Millisecond
	fifoRetryMax = 5 * time.Second
)

// An outlets is the subsystem that takes events out of the daemon: to scripts, and
// to the sinks of the configuration, which are pipes, webhooks and mail.
type outlets struct {
	base
	scripts   func(*event.Event) notify.Scripts // those of the subject of an event
	stateText func(context.Context) string      // the status for people; called outside the loop
	flush     func()                            // does what was posted to the loop
	allStates func() []event.Event              // the present state of everything; only in the loop

	notifier *notify.Notifier
	sinks    []*sink
	conf     *conf.Config
	left     map[string]notify.LeftSink // by the key of a sink that rests, or rested in the former binary
}

func (o *outlets) open() error {
	o.notifier = notify.New(notify.Options{
		Log:     o.log,
		Result:  func(r notify.Result) { o.post(func() { o.scriptEnded(r) }) },
		Scripts: o.scripts,
	})
	return nil
}

func (o *outlets) apply(c *conf.Config) {
	o.conf = c
	o.notifier.Rename(c.Director.Name)
	o.applySinks(c)
	go warnOfPrograms(c, o.log) // a file server that is gone must not hold up the stop
}

func (o *outlets) handle(e *event.Event) {
	o.sendToSinks(e)
	o.notifier.Handle(e)
}

// sendToSinks hands an event to the sinks that want its kind.
func (o *outlets) sendToSinks(e *event.Event) {
	for _, s := range o.sinks {
		if s.wants(e) {
			s.Send(*e)
		}
	}
}

// sendStatesAfterReload gives the sinks that want it what every instance and group is.
func (o *outlets) sendStatesAfterReload(states func() []event.Event) {
	wanted := func(s *sink) bool { return s.states && !s.due } // one that is due gets more
	if !slices.ContainsFunc(o.sinks, wanted) {
		return
	}
	list := states()
	for _, s := range o.sinks {
		if wanted(s) {
			s.sendStates(list)
		}
	}
}

// restore takes over what the former binary has left. Nothing is started before goOn. At a
// start that is no upgrade nothing waits for that: MASTER would replace a BACKUP that waits.
func (o *outlets) restore(u *upgradeState) {
	if u.At != 0 {
		o.notifier.Continue(&u.Scripts)
	}
	o.left = u.Sinks
}

// goOn has the scripts of the former binary go on, once all of the first configuration is
// applied.
func (o *outlets) goOn() {
	exists := subjectsOf(o.conf, servicesOf(o.conf))
	o.notifier.Settle(func(kind notify.Kind, name string) bool { return exists(strings.ToLower(string(kind)), name) })
	o.notifier.Resume()
}

// begin sends the states to the sinks that the first configuration has. A pipe gets
// none at a start that is no upgrade, because nothing has a state then: the first
// transitions, which follow, tell it.
func (o *outlets) begin(upgraded bool) {
	for _, s := range o.sinks {
		s.due = s.due && (upgraded || s.fromStart)
	}
	o.sendStatesToNew()
}

// sendStatesToNew gives the present state of everything to the sinks whose receiver
// begins anew.
func (o *outlets) sendStatesToNew() {
	if !slices.ContainsFunc(o.sinks, func(s *sink) bool { return s.due }) {
		return
	}
	list := o.allStates()
	for _, s := range o.sinks {
		if s.due {
			s.due = false
			s.sendStates(list)
		}
	}
}

// readerRestarted gives the states to the reader of a pipe that was started again.
func (o *outlets) readerRestarted(key string) {
	for _, s := range o.sinks {
		if s.key == key && s.newReader {
			s.sendStates(o.allStates())
		}
	}
}

func (o *outlets) report(s *status.Status) {
	s.Notify = []status.Outlet{outlet(status.OutletScripts, o.notifier.Status())}
	for _, sink := range o.sinks {
		s.Notify = append(s.Notify, outlet(sink.name, sink.Status()))
	}
}

// suspend has no script started any more, and stops the sinks: the readers that they
// have would read beside the new binary's. What they cannot deliver soon is left.
func (o *outlets) suspend() {
	scripts, cancel := context.WithTimeout(context.Background(), upgradeGrace)
	defer cancel()
	if err := o.notifier.Pause(scripts); err != nil {
		o.log.Warn("a script cannot be handed over", "err", err)
	}
	o.flush() // what happened meanwhile, and scripts that failed
	endSinks(upgradeGrace, o.sinks, (*notify.Sink).Rest)
}

func (o *outlets) save(u *upgradeState) {
	u.Scripts, u.Sinks = o.notifier.Leave(), o.leaveSinks()
}

// leaveSinks returns what sinks that rest leave.
func (o *outlets) leaveSinks() map[string]notify.LeftSink {
	left := map[string]notify.LeftSink{}
	for _, s := range o.sinks {
		left[s.key] = s.Leave()
	}
	return left
}

// handOn has the next binary inherit the output of scripts. Nothing may be started until
// takeBack.
func (o *outlets) handOn() (takeBack func()) {
	o.notifier.HandOn()
	for _, s := range o.sinks {
		s.HandOn()
	}
	return func() {
		o.notifier.Keep()
		for _, s := range o.sinks {
			s.Keep()
		}
	}
}

// revive undoes suspend, if there is no new binary, before the configuration is applied
// again.
func (o *outlets) revive() { o.left, o.sinks = o.leaveSinks(), nil }

// resume goes on after suspend, if there is no new binary.
func (o *outlets) resume() {
	o.notifier.Resume()
	o.sendStatesToNew()
}

// stop waits for the scripts before it ends the sinks, which report those that fail.
func (o *outlets) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), scriptGrace)
	defer cancel()
	err := o.notifier.Close(ctx)
	o.flush()
	o.closeSinks(scriptGrace)
	return err
}

func (o *outlets) close() { o.closeSinks(scriptGrace) }

// forget drops what is kept about an instance or group that is gone.
func (o *outlets) forget(kind notify.Kind, name string) { o.notifier.Forget(kind, name) }

// A sink is a pipe, a webhook or mail.
type sink struct {
	*notify.Sink
	key    string // by which a reload knows what stays, and the log what it is
	name   string // for people
	spec   any    // what it was made of
	events []string
	alerts []string // names of rules whose alerts it gets beside its events
	calls  bool     // gets those that are for programs only too
	lines  bool     // gets keepalived's lines, not the journal
	states bool     // gets the states after a reload
	// newReader: a receiver that begins anew gets the states first.
	newReader bool
	fromStart bool // with newReader: also at a start that is no upgrade
	due       bool // the receiver has begun, and waits for the states
}

// sendStates sends those of the states that the sink wants.
func (s *sink) sendStates(all []event.Event) {
	var wanted []event.Event
	for i := range all {
		if s.wants(&all[i]) {
			wanted = append(wanted, all[i])
		}
	}
	s.SendStates(wanted)
}

// wants reports whether the sink gets an event. A sink gets those that are in the
// journal; one with keepalived's lines gets those that have such a line.
func (s *sink) wants(e *event.Event) bool {
	if e.Kind == event.KindAlert && slices.Contains(s.alerts, e.Subject) {
		return s.calls || !e.NotJournaled
	}
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
func (o *outlets) plannedSinks(c *conf.Config) []plannedSink {
	var list []plannedSink
	for i := range c.Notify.FIFOs {
		f := &c.Notify.FIFOs[i]
		fifo := notify.FIFOOptions{
			Path: f.Path, User: f.User, Group: f.Group, JSON: f.Format == conf.FIFOJSON, Director: c.Director.Name, Log: o.log,
		}
		if len(f.Command.Argv) > 0 {
			p := runAs(&f.Command, &c.Director)
			fifo.Reader = &p
		}
		key := "fifo " + f.Path
		fifo.Restarted = func() { o.post(func() { o.readerRestarted(key) }) }
		list = append(list, plannedSink{
			sink{
				key: key, name: key, spec: []any{*f, fifo.Reader, fifo.Director}, events: f.Events, lines: !fifo.JSON,
				states: f.StatesOnReload, newReader: f.StatesToNewReader,
			},
			notify.SinkOptions{Transport: notify.NewFIFO(fifo), Queue: f.Queue, RetryMin: fifoRetryMin, RetryMax: fifoRetryMax},
		})
	}
	for i := range c.Notify.Webhooks {
		list = append(list, webhookSink(&c.Notify.Webhooks[i], c.Director.Name))
	}
	if m := &c.Notify.Mail; m.Server != "" {
		list = append(list, o.mailSink(m, c.Director.Name))
	}
	return append(list, o.alertSinks(c, list)...)
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
		sink{
			key: "webhook " + w.Name, name: "webhook " + w.Name, spec: []any{*w, director}, events: w.Events,
			newReader: w.StatesOnStart, fromStart: true,
		},
		retrying(&w.Retry, notify.SinkOptions{Transport: notify.NewWebhook(o)}),
	}
}

func (o *outlets) mailSink(m *conf.Mail, director string) plannedSink {
	mail := notify.MailOptions{
		Server: m.Server, From: m.From, To: m.To, Helo: m.Helo, TLS: notify.MailTLS(m.TLS), User: m.User, Password: string(m.Password),
		Timeout: m.Timeout, Director: director, State: o.stateText,
	}
	if m.CA != "" {
		mail.CA = []byte(m.CAText)
	}
	return plannedSink{
		sink{key: "mail", name: "mail " + m.Server, spec: []any{*m, director}, events: m.Events},
		retrying(&m.Retry, notify.SinkOptions{Transport: notify.NewMail(mail), Gather: m.Gather}),
	}
}

// retrying adds to options what becomes of failures.
func retrying(r *conf.Retry, o notify.SinkOptions) notify.SinkOptions {
	o.RetryMin, o.RetryMax, o.GiveUp, o.Queue = r.Pause, r.PauseMax, r.GiveUp, r.Queue
	return o
}

// applySinks takes the sinks of a configuration over. One that is as before goes
// on; one that is not is given its new settings, and sends what waits with these.
func (o *outlets) applySinks(c *conf.Config) {
	former := o.sinks
	o.sinks = nil
	for _, p := range o.plannedSinks(c) {
		s := p.sink
		if i := slices.IndexFunc(former, func(f *sink) bool { return f.key == s.key }); i >= 0 {
			s.Sink = former[i].Sink
			if !reflect.DeepEqual(former[i].spec, s.spec) {
				s.Reconfigure(p.options)
				s.due = s.newReader
			}
			former = slices.Delete(slices.Clone(former), i, i+1)
		} else {
			s.Sink = o.newSink(&s, p.options)
			s.due = s.newReader
		}
		o.sinks = append(o.sinks, &s)
	}
	for _, f := range former {
		o.spawn(func() { closeSinks(scriptGrace, []*sink{f}) })
	}
	for key, left := range o.left {
		left.Abandon(o.log.With("sink", key))
		if n := len(left.Events); n > 0 {
			o.log.Error("notifications are dropped: they waited over the upgrade for what is not configured any more", "sink", key, "count", n)
		}
	}
	o.left = nil
}

// newSink returns a sink, which goes on with what was left of one with its key.
func (o *outlets) newSink(s *sink, options notify.SinkOptions) *notify.Sink {
	left := o.left[s.key]
	delete(o.left, s.key)
	return notify.ContinueSink(s.key, o.log, options, &left)
}

// closeSinks ends all sinks, and gives them some time to deliver what waits.
func (o *outlets) closeSinks(grace time.Duration) {
	sinks := o.sinks
	o.sinks = nil
	closeSinks(grace, sinks)
}

// closeSinks ends sinks, all at once.
func closeSinks(grace time.Duration, list []*sink) { endSinks(grace, list, (*notify.Sink).Close) }

// endSinks ends sinks, all at once, in one of the ways.
func endSinks(grace time.Duration, list []*sink, end func(*notify.Sink, context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range list {
		all.Go(func() { end(s.Sink, ctx) })
	}
	all.Wait()
}

func outlet(name string, s notify.SinkStatus) status.Outlet {
	return status.Outlet{
		Name: name, Queued: s.Queued, Delivered: s.Delivered, Failed: s.Failed, Dropped: s.Dropped,
		LastDelivery: s.LastDelivery, LastError: s.LastError, LastErrorAt: s.LastErrorAt, FailingSince: s.FailingSince,
	}
}

// scriptEnded publishes that a script failed.
func (o *outlets) scriptEnded(r notify.Result) {
	if r.Err == nil {
		return
	}
	o.publish(event.Event{
		Kind: event.KindNotify, Subject: r.Subject, To: r.State, Reason: r.Err.Error(),
		Detail: map[string]string{"script": strings.Join(r.Command.Argv, " ")},
	})
}
