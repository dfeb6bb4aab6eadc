package director

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/notify"
	"holdfast/cmd/internal/program"
	"holdfast/conf"
	"holdfast/integration/tools"
)

// waiting has how many notifications wait for each sink.
func waiting(o *outlets) (list []int) {
	for _, s := range o.sinks {
		list = append(list, s.Status().Queued)
	}
	return list
}

// What waits for a receiver goes on to the next binary with what happens until it runs, or
// waits on if there is none. It is said if the receiver is configured no more.
func TestSinksOverAnUpgrade(t *testing.T) {
	c := &conf.Config{}
	c.Notify.Webhooks = []conf.Webhook{{
		Name: "hook", URL: "http://127.0.0.1:1/", Events: []string{event.KindGroup}, Timeout: time.Second,
		Retry: conf.Retry{Pause: time.Hour, PauseMax: time.Hour, Queue: 9},
	}}
	start := func(u upgradeState, c *conf.Config) (*outlets, *aloneRecorder) {
		t.Helper()
		b, r := alone(t)
		o := &outlets{base: b, flush: func() {}}
		if err := o.open(); err != nil {
			t.Fatal(err)
		}
		o.restore(&u)
		o.applySinks(c)
		t.Cleanup(o.close)
		return o, r
	}
	check := func(when string, o *outlets, want int) {
		t.Helper()
		if all := waiting(o); len(all) != 1 || all[0] != want {
			t.Errorf("%s: %v wait, want %d", when, all, want)
		}
	}
	old, said := start(upgradeState{}, c)
	old.sendToSinks(&event.Event{Kind: event.KindGroup, Subject: "a"})
	old.suspend()
	old.sendToSinks(&event.Event{Kind: event.KindGroup, Subject: "b"})
	var saved upgradeState
	old.save(&saved)
	text, err := json.Marshal(saved)
	if err != nil {
		t.Fatal(err)
	}
	read := func() (u upgradeState) {
		if err := json.Unmarshal(text, &u); err != nil {
			t.Fatal(err)
		}
		return u
	}
	ended := old.sinks[0].Sink
	old.revive()
	old.applySinks(c)
	if old.sinks[0].Sink == ended {
		t.Error("without a new binary nothing is delivered any more")
	}
	check("without a new binary", old, 2)
	young, _ := start(read(), c)
	check("in the new binary", young, 2)
	_, log := start(read(), &conf.Config{})
	if !strings.Contains(log.log.String(), `they waited over the upgrade for what is not configured any more" sink="webhook hook" count=2`) {
		t.Errorf("without the webhook the log says\n%s", log.log.String())
	}
	if strings.Contains(said.log.String(), "dropped") {
		t.Errorf("the log says\n%s", said.log.String())
	}
}

// At a start that is no upgrade, the scripts for the first states do not wait until all is
// up. After an upgrade they wait until the whole configuration is applied.
func TestScriptsWaitAfterAnUpgrade(t *testing.T) {
	for _, at := range []time.Duration{0, 1} {
		b, _ := alone(t)
		o := &outlets{base: b, conf: &conf.Config{}, scripts: func(*event.Event) notify.Scripts {
			return notify.Scripts{Any: &notify.Command{Program: program.Program{Argv: []string{"/bin/true"}}}}
		}}
		if err := o.open(); err != nil {
			t.Fatal(err)
		}
		o.restore(&upgradeState{At: at})
		o.handle(&event.Event{Kind: event.KindGroup, Subject: "a", To: event.Backup, Group: &event.Group{}})
		o.handle(&event.Event{Kind: event.KindGroup, Subject: "b", To: event.Backup, Group: &event.Group{}})
		ended := func() (any, bool) { n := o.notifier.Status().Queued; return n, n == 0 }
		if at == 0 {
			tools.Await(t, "the scripts to end", ended)
		} else if o.notifier.Status().Queued != 2 {
			t.Error("scripts ran before the configuration was applied")
		}
		o.goOn()
		tools.Await(t, "the scripts to end at last", ended)
		if err := o.notifier.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
