package director

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"holdfast/cmd/internal/hardwatch"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp/speaker"
)

// hardwareWatchdog is the subsystem that feeds the hardware watchdog while adverts go
// out. A director that hangs, with addresses that it does not give away, is reset.
type hardwareWatchdog struct {
	base
	pulse    func(answer func(speaker.Pulse)) bool
	problems func([]status.Problem)

	path    string // "": none
	timeout time.Duration
	cancel  context.CancelFunc
	ended   chan struct{}
	leave   atomic.Bool // the next binary goes on with it
	shown   status.Watchdog
}

// watchdogAgain is the time between two attempts to open a device that is not there.
const watchdogAgain = 10 * time.Second

func (h *hardwareWatchdog) apply(c *conf.Config) {
	if h.cancel != nil && h.path == c.Director.Watchdog && h.timeout == c.Director.WatchdogTimeout {
		return
	}
	h.end(false)
	h.path, h.timeout = c.Director.Watchdog, c.Director.WatchdogTimeout
	h.shown = status.Watchdog{Device: h.path}
	h.problems(nil)
	if h.path == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.cancel, h.ended = cancel, make(chan struct{})
	path, timeout, ended := h.path, h.timeout, h.ended
	h.spawn(func() {
		defer close(ended)
		h.run(ctx, path, timeout)
	})
}

// run feeds a device, and opens it again when it fails, until ctx is done.
func (h *hardwareWatchdog) run(ctx context.Context, path string, timeout time.Duration) {
	for {
		dev, err := hardwatch.Open(path, timeout)
		if err == nil {
			err = h.feed(ctx, dev)
		}
		if err != nil {
			h.post(func() { h.fails(path, err) })
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchdogAgain):
		}
	}
}

// feed feeds an open device until ctx is done, or that fails.
func (h *hardwareWatchdog) feed(ctx context.Context, dev *hardwatch.Device) error {
	h.post(func() { h.armed(dev) })
	inner, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	w := &watchdog{
		base: h.base, pulse: h.pulse, threat: "the hardware is going to reset the machine",
		manager: fedDevice{dev: dev, failed: broken},
	}
	w.run(inner)
	switch {
	case ctx.Err() == nil:
		_ = dev.Leave() // it is armed: to disarm it would hide that it is broken
		return context.Cause(inner)
	case h.leave.Load():
		return dev.Leave()
	}
	return dev.Disarm()
}

// fedDevice is a device as the service manager of a watchdog.
type fedDevice struct {
	noManager
	dev    *hardwatch.Device
	failed context.CancelCauseFunc
}

// Alive implements ServiceManager.
func (f fedDevice) Alive() {
	if err := f.dev.Feed(); err != nil {
		f.failed(err)
	}
}

// Watchdog implements ServiceManager.
func (f fedDevice) Watchdog() time.Duration { return f.dev.Timeout }

func (h *hardwareWatchdog) armed(dev *hardwatch.Device) {
	h.log.Info("the hardware watchdog is armed", "device", h.path, "identity", dev.Identity, "timeout", dev.Timeout, "nowayout", dev.NoWayOut)
	h.shown = status.Watchdog{Device: h.path, Identity: dev.Identity, Armed: true, TimeoutMS: ms(dev.Timeout), NoWayOut: dev.NoWayOut}
	h.problems(nil)
}

func (h *hardwareWatchdog) fails(path string, err error) {
	h.log.Error("the hardware watchdog is not fed", "device", path, "err", err)
	if h.path != path {
		return
	}
	h.shown.Armed, h.shown.Error = false, err.Error()
	h.problems([]status.Problem{{Kind: "watchdog", Name: path, Text: fmt.Sprintf("the hardware watchdog is not fed: %v", err)}})
}

// end ends the feeding, and disarms the device or leaves it armed.
func (h *hardwareWatchdog) end(leave bool) {
	if h.cancel == nil {
		return
	}
	h.leave.Store(leave)
	h.cancel()
	<-h.ended // it closes the device, and waits for nobody
	h.cancel = nil
}

func (h *hardwareWatchdog) report(s *status.Status) {
	if h.path != "" {
		shown := h.shown
		s.Watchdog = &shown
	}
}

func (h *hardwareWatchdog) suspend()  { h.end(true) }
func (h *hardwareWatchdog) withdraw() { h.end(false) }
func (h *hardwareWatchdog) close()    { h.end(false) }
