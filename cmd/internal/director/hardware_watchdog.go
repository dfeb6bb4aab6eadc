package director

import (
	"context"
	"fmt"
	"time"

	"holdfast/cmd/internal/hardwatch"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp/speaker"
)

// watchdogAgain is the time between two attempts to open a device that is not there.
const watchdogAgain = 10 * time.Second

// A watchdogDevice is an armed hardware watchdog: hardwatch.Device, but for tests.
type watchdogDevice interface {
	About() hardwatch.About
	Feed() error
	FD() int
	HandOn() error
	Keep()
	Leave() error
	Disarm() error
}

// hardwareWatchdog is the subsystem that feeds the hardware watchdog while adverts go
// out. A director that hangs, with addresses that it does not give away, is reset.
type hardwareWatchdog struct {
	base
	device   func(path string, timeout time.Duration) (watchdogDevice, error)
	pulse    func(answer func(speaker.Pulse)) bool
	problems func([]status.Problem)

	path    string // "": none
	timeout time.Duration
	feeding *feeding       // nil: nothing is fed
	left    savedWatchdog  // of the former binary
	kept    watchdogDevice // for the next binary
	shown   status.Watchdog
}

// A savedWatchdog is a device that a binary leaves open for the next one.
type savedWatchdog struct {
	Path string `json:"path,omitempty"` // "": none
	FD   int    `json:"fd,omitempty"`
}

// A feeding is the goroutine that feeds a device.
type feeding struct {
	cancel context.CancelFunc
	ended  chan struct{}
	leave  bool           // the device is for the next binary; set before cancel
	kept   watchdogDevice // because of leave; read after ended
}

func newHardwareWatchdog(b base) *hardwareWatchdog {
	return &hardwareWatchdog{base: b, device: func(path string, timeout time.Duration) (watchdogDevice, error) {
		return hardwatch.Open(path, timeout)
	}}
}

func (h *hardwareWatchdog) restore(s *upgradeState) { h.left = s.Watchdog }

func (h *hardwareWatchdog) apply(c *conf.Config) {
	if h.feeding != nil && h.path == c.Director.Watchdog && h.timeout == c.Director.WatchdogTimeout {
		return
	}
	device := h.inherit(c)
	h.end()
	h.path, h.timeout = c.Director.Watchdog, c.Director.WatchdogTimeout
	h.shown = status.Watchdog{Device: h.path}
	h.problems(nil)
	if h.path == "" {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &feeding{cancel: cancel, ended: make(chan struct{})}
	path, timeout := h.path, h.timeout
	h.feeding = f
	h.spawn(func() {
		defer close(f.ended)
		h.run(ctx, f, path, timeout, device)
	})
}

// inherit returns the device that the former binary has left, or this one has kept for
// another that did not come. It disarms one that the configuration does not name.
func (h *hardwareWatchdog) inherit(c *conf.Config) watchdogDevice {
	left, device := h.left, h.kept
	h.left, h.kept = savedWatchdog{}, nil
	if left.Path != "" {
		adopted, err := hardwatch.Adopt(left.Path, left.FD, c.Director.WatchdogTimeout)
		if err != nil {
			h.log.Warn("the watchdog of the former binary is opened again", "err", err)
			return nil
		}
		device, h.path = adopted, left.Path
	}
	if device != nil && h.path != c.Director.Watchdog {
		h.disarm(h.path, device)
		return nil
	}
	return device
}

func (h *hardwareWatchdog) disarm(path string, device watchdogDevice) {
	if err := device.Disarm(); err != nil {
		h.log.Error("the hardware watchdog is not disarmed", "device", path, "timeout", device.About().Timeout, "err", err)
		return
	}
	h.log.Info("the hardware watchdog is disarmed", "device", path)
}

// run feeds a device, and opens it again when it fails, until ctx is done. The device may
// be open already.
func (h *hardwareWatchdog) run(ctx context.Context, f *feeding, path string, timeout time.Duration, device watchdogDevice) {
	for {
		var err error
		if device == nil {
			device, err = h.device(path, timeout)
		}
		if err == nil {
			err = h.feed(ctx, f, path, device)
		}
		device = nil
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
func (h *hardwareWatchdog) feed(ctx context.Context, f *feeding, path string, device watchdogDevice) error {
	about := device.About()
	h.post(func() { h.armed(path, about) })
	inner, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	w := &watchdog{
		base: h.base, pulse: h.pulse, threat: "the hardware is going to reset the machine",
		manager: fedDevice{device: device, failed: broken},
	}
	w.run(inner)
	switch {
	case ctx.Err() == nil:
		_ = device.Leave() // not disarmed: that would hide that it is broken
		return context.Cause(inner)
	case f.leave:
		f.kept = device
		return device.Feed()
	}
	h.disarm(path, device)
	return nil
}

// fedDevice is a device as the service manager of a watchdog.
type fedDevice struct {
	noManager
	device watchdogDevice
	failed context.CancelCauseFunc
}

// Alive implements ServiceManager.
func (f fedDevice) Alive() {
	if err := f.device.Feed(); err != nil {
		f.failed(err)
	}
}

// Watchdog implements ServiceManager.
func (f fedDevice) Watchdog() time.Duration { return f.device.About().Timeout }

func (h *hardwareWatchdog) armed(path string, about hardwatch.About) {
	h.log.Info("the hardware watchdog is armed", "device", path, "identity", about.Identity, "timeout", about.Timeout, "nowayout", about.NoWayOut)
	if h.path != path {
		return
	}
	h.shown = status.Watchdog{Device: path, Identity: about.Identity, Armed: true, TimeoutMS: ms(about.Timeout), NoWayOut: about.NoWayOut}
	h.problems(nil)
}

func (h *hardwareWatchdog) fails(path string, err error) {
	if h.path != path {
		return
	}
	if h.shown.Armed || h.shown.Error != err.Error() { // it is tried again and again
		h.log.Error("the hardware watchdog is not fed", "device", path, "err", err)
	}
	h.shown.Armed, h.shown.Error = false, err.Error()
	h.problems([]status.Problem{{Kind: "watchdog", Name: path, Text: fmt.Sprintf("the hardware watchdog is not fed: %v", err)}})
}

// end ends the feeding. The device is disarmed, unless it is to be left.
func (h *hardwareWatchdog) end() {
	if h.feeding == nil {
		return
	}
	h.feeding.cancel()
	<-h.feeding.ended // it waits for nobody
	h.kept, h.feeding = h.feeding.kept, nil
}

func (h *hardwareWatchdog) report(s *status.Status) {
	if h.path != "" {
		shown := h.shown
		s.Watchdog = &shown
	}
}

// suspend keeps the device open and armed for the next binary.
func (h *hardwareWatchdog) suspend() {
	if h.feeding != nil {
		h.feeding.leave = true
	}
	h.end()
}

// handOn has the next binary inherit the device. Nothing may be started until takeBack.
func (h *hardwareWatchdog) handOn() (takeBack func()) {
	if h.kept == nil {
		return func() {}
	}
	if err := h.kept.HandOn(); err != nil {
		h.log.Warn("the new binary opens the hardware watchdog again", "err", err)
	}
	return h.kept.Keep
}

func (h *hardwareWatchdog) save(s *upgradeState) {
	if h.kept != nil {
		s.Watchdog = savedWatchdog{Path: h.path, FD: h.kept.FD()}
	}
}

func (h *hardwareWatchdog) withdraw() { h.end() }
func (h *hardwareWatchdog) close()    { h.end() }
