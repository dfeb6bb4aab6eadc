package director

import (
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/conf"
	"holdfast/vrrp"
)

// Mail that waits is sent by the server that a reload configures. Waiting mail is
// often the reason for such a reload.
func TestMailServerChanges(t *testing.T) {
	b, _ := alone(t)
	d := &outlets{base: b}
	mail := func(server string) *conf.Config {
		c := &conf.Config{}
		c.Notify.Mail = conf.Mail{Server: server, Timeout: time.Second, Retry: conf.Retry{Pause: time.Hour, PauseMax: time.Hour, Queue: 1}}
		return c
	}
	d.applySinks(mail("127.0.0.1:1"))
	before := d.sinks[0].Sink
	d.applySinks(mail("127.0.0.1:2"))
	if len(d.sinks) != 1 || d.sinks[0].Sink != before || d.sinks[0].name != "mail 127.0.0.1:2" {
		t.Errorf("the reload made another sink: %+v", d.sinks)
	}
	d.applySinks(&conf.Config{})
	if len(d.sinks) != 0 {
		t.Errorf("mail is off: %+v", d.sinks)
	}
}

// A receiver that begins anew is sent the states once, and only if it wants them; a
// pipe gets none at a start that is no upgrade.
func TestStatesForNewReceivers(t *testing.T) {
	for _, upgraded := range []bool{false, true} {
		b, _ := alone(t)
		keep := func(key string, s sink) (*sink, lineKeeper) {
			keeper := lineKeeper{make(chan string, 100)}
			s.Sink = notify.NewSink(key, b.log, notify.SinkOptions{Transport: keeper, Queue: 1})
			s.key, s.events, s.lines, s.due = key, []string{event.KindInstance}, true, s.newReader
			return &s, keeper
		}
		pipe, fromPipe := keep("pipe", sink{newReader: true})
		hook, fromHook := keep("hook", sink{newReader: true, fromStart: true})
		other, fromOther := keep("other", sink{})
		out := &outlets{base: b, sinks: []*sink{pipe, hook, other}, allStates: func() []event.Event {
			var list []event.Event
			for _, kind := range []string{event.KindInstance, event.KindService} {
				list = append(list, event.Event{
					Kind: kind, Subject: "a", To: event.Master, Snapshot: true, Instance: &event.Instance{}, Service: &event.Service{},
				})
			}
			return list
		}}
		out.begin(upgraded)
		out.sendStatesToNew() // nobody is new any more
		out.close()
		for name, want := range map[lineKeeper]int{fromPipe: map[bool]int{true: 1}[upgraded], fromHook: 1, fromOther: 0} {
			if got := len(name.lines); got != want {
				t.Errorf("upgraded %v: %d lines, want %d", upgraded, got, want)
			}
		}

		pipe, fromPipe = keep("pipe", sink{newReader: true})
		other, fromOther = keep("other", sink{})
		out.sinks = []*sink{pipe, other}
		out.readerRestarted("pipe")
		out.readerRestarted("other")
		out.close()
		if len(fromPipe.lines) != 1 || len(fromOther.lines) != 0 {
			t.Errorf("after a restart of the reader: %d and %d lines", len(fromPipe.lines), len(fromOther.lines))
		}
	}
}

// A list of states has those that were published, because the transitions that were
// not follow it.
func TestPublishedStates(t *testing.T) {
	p := publishedStates{states: map[[2]string]string{}}
	check := func(when, want string) {
		t.Helper()
		if got := p.of(event.KindInstance, "a", vrrp.Master); got != want {
			t.Errorf("%s: %s, want %s", when, got, want)
		}
	}
	check("before the first transition", event.Stop)
	p.handle(&event.Event{Kind: event.KindInstance, Subject: "a", From: event.Init, To: event.Backup})
	p.handle(&event.Event{Kind: event.KindGroup, Subject: "a", To: event.Fault})
	p.handle(&event.Event{Kind: event.KindPriority, Subject: "a", To: "7"})
	check("after it", event.Backup)
	p.handle(&event.Event{Kind: event.KindInstance, Subject: "a", From: event.Backup, To: event.Init})
	check("stopped", event.Stop)
	p.handle(&event.Event{Kind: event.KindInstance, Subject: "a", To: event.Deleted})
	p.resume("b", vrrp.Backup)
	check("after an upgrade, without an event", event.Master)
	p.resume("a", vrrp.Backup)
	check("resumed", event.Backup)
}

// The states of services and servers are those that were published; one that was not
// checked yet has none.
func TestServiceStates(t *testing.T) {
	b, _ := alone(t)
	c := parse(t, twoServers)
	v := newTestServices(t, b, c, newFakeIPVS())
	if list := v.states(time.Now(), "r"); len(list) != 0 {
		t.Errorf("before the first check: %v", list)
	}
	v.verdict(checker.Change{ID: "web/192.168.0.11:80", Up: true, At: time.Now()})
	v.reconcile()
	var lines []string
	for _, e := range v.states(time.Now(), "r") {
		lines = append(lines, e.Kind+" "+e.Subject+" "+e.To+" "+notify.Line(&e))
		if !e.Snapshot || e.Reason != "r" {
			t.Errorf("%+v", e)
		}
	}
	want := "service web UP VS [10.0.0.100]:tcp:80 UP; server web/192.168.0.11:80 UP RS [192.168.0.11]:tcp:80 [10.0.0.100]:tcp:80 UP"
	if got := strings.Join(lines, "; "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
