package director

import (
	"context"
	"fmt"
	"time"

	"holdfast/vrrp/speaker"
)

// feedings is how often the watchdog is fed in the time within which it must be.
const feedings = 4

// A watchdog feeds the watchdog of the service manager as long as the director's loop
// and the VRRP loop go round and adverts go out.
type watchdog struct {
	base
	manager ServiceManager
	pulse   func(answer func(speaker.Pulse)) bool
	hungry  string // why it was not fed last; "": it was
}

// watchdog returns what feeds the watchdog of the director's service manager.
func (d *Director) watchdog() *watchdog {
	return &watchdog{base: d.base(), manager: d.opts.Manager, pulse: d.routers.speaker.Pulse}
}

// run feeds the watchdog until ctx is done.
func (w *watchdog) run(ctx context.Context) {
	every := w.manager.Watchdog() / feedings
	if every == 0 {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	answers := make(chan speaker.Pulse, 1)
	w.ask(answers)
	asked := true
	for {
		select {
		case p := <-answers:
			w.judge(p, every)
			asked = false
		case <-tick.C:
			if asked {
				w.starve(fmt.Sprintf("a loop has not come round for %v", every))
			} else {
				w.ask(answers)
				asked = true
			}
		case <-ctx.Done():
			return
		}
	}
}

// ask sends a question through both loops. One that hangs does not answer, and is not
// asked again.
func (w *watchdog) ask(answers chan<- speaker.Pulse) {
	w.post(func() { w.pulse(func(p speaker.Pulse) { answers <- p }) })
}

// judge feeds the watchdog unless adverts do not go out.
func (w *watchdog) judge(p speaker.Pulse, every time.Duration) {
	switch {
	case p.Late > every:
		w.starve(fmt.Sprintf("adverts have been due for %v", p.Late.Round(time.Millisecond)))
	case p.Refused > every:
		w.starve(fmt.Sprintf("no interface has taken an advert for %v", p.Refused.Round(time.Millisecond)))
	default:
		if w.hungry != "" {
			w.log.Info("the watchdog is fed again", "err", w.hungry)
			w.hungry = ""
		}
		w.manager.Alive()
	}
}

func (w *watchdog) starve(why string) {
	if w.hungry == "" {
		w.log.Error("the watchdog is not fed, and systemd is going to restart the daemon", "err", why)
	}
	w.hungry = why
}
