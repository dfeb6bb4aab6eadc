package director

import (
	"context"

	"holdfast/conf"
	"holdfast/netdev"
)

// A settingsWatch is the subsystem that reports when another program changes a
// sysctl that the host has set.
type settingsWatch struct {
	base
	host    *netdev.Host
	concern func(netdev.Concern) // in the loop
	end     context.CancelFunc   // nil: the watch does not run
	ended   chan struct{}
}

func (w *settingsWatch) apply(*conf.Config) {
	if w.end != nil {
		return
	}
	run, err := w.host.WatchSettings(w.log)
	if err != nil {
		w.log.Warn("sysctls are not watched: a change is found only by the periodic look", "err", err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end, w.ended = cancel, make(chan struct{})
	w.spawn(func() {
		defer close(w.ended)
		run(ctx, func(c netdev.Concern) { w.post(func() { w.concern(c) }) })
	})
}

// suspend returns when the watch has ended: the kernel takes its time for that,
// and while it replaces the binary no advert is sent.
func (w *settingsWatch) suspend() { w.close() }

// withdraw waits for nothing: what is put back from now on is no damage.
func (w *settingsWatch) withdraw() {
	if w.end != nil {
		w.end()
	}
}

func (w *settingsWatch) close() {
	if w.end != nil {
		w.end()
		<-w.ended
		w.end = nil
	}
}
