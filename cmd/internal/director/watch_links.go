package director

import (
	"context"
	"fmt"

	"holdfast/netdev"
)

// A linkWatch is the subsystem that reports changes of interfaces and addresses.
type linkWatch struct {
	base
	changed func(*netdev.Event) // in the loop
	watcher *netdev.Watcher     // nil: not open
	end     context.CancelFunc  // nil: not open
}

func (w *linkWatch) open() error {
	watcher, err := netdev.OpenWatcher(w.log)
	if err != nil {
		return fmt.Errorf("watch the interfaces: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.watcher, w.end = watcher, cancel
	w.spawn(func() {
		if err := watcher.Run(ctx, func(e netdev.Event) { w.post(func() { w.changed(&e) }) }); err != nil {
			w.log.Error("link events are not heard any more", "err", err)
		}
	})
	return nil
}

func (w *linkWatch) close() {
	if w.end != nil {
		w.end()
	}
}
