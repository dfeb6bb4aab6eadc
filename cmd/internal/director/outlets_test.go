package director

import (
	"testing"
	"time"

	"holdfast/conf"
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
