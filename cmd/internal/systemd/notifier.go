// Package systemd tells the service manager how the daemon is, by sd_notify(3).
package systemd

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// waiting is how many messages may wait for a service manager that does not read. More
// are dropped: nobody waits for systemd.
const waiting = 64

// A Notifier sends messages to the service manager. All its methods return at once, and
// do nothing on a nil Notifier.
type Notifier struct {
	log      *slog.Logger
	queue    chan string
	watchdog time.Duration
}

// New returns a Notifier, or nil if no service manager wants to hear of this process.
func New(log *slog.Logger) *Notifier {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false) // the next binary after an upgrade needs the variables too
	if err != nil {
		log.Warn("the watchdog of systemd is not fed", "err", err)
	}
	return &Notifier{log: log, queue: make(chan string, waiting), watchdog: watchdog}
}

// Run sends what the other methods queue until ctx is done and everything is sent.
func (n *Notifier) Run(ctx context.Context) {
	if n == nil {
		return
	}
	for {
		select {
		case message := <-n.queue:
			n.write(message)
		case <-ctx.Done():
			for len(n.queue) > 0 {
				n.write(<-n.queue)
			}
			return
		}
	}
}

func (n *Notifier) write(message string) {
	if _, err := daemon.SdNotify(false, message); err != nil {
		n.log.Warn("cannot notify systemd", "message", message, "err", err)
	}
}

func (n *Notifier) send(message string) {
	if n == nil {
		return
	}
	select {
	case n.queue <- message:
	default:
		n.log.Warn("systemd does not read what it is told", "message", message)
	}
}

// Ready says that the daemon is up, or that a reload is over.
func (n *Notifier) Ready() { n.send(daemon.SdNotifyReady) }

// Reloading says that a reload begins now. Ready must follow, also if the reload fails.
func (n *Notifier) Reloading() {
	n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the daemon ends.
func (n *Notifier) Stopping() { n.send(daemon.SdNotifyStopping) }

// Status has systemctl status show one line for people.
func (n *Notifier) Status(text string) { n.send("STATUS=" + text) }

// Alive feeds the watchdog.
func (n *Notifier) Alive() { n.send(daemon.SdNotifyWatchdog) }

// Watchdog returns within which time Alive must be called again; 0: there is no watchdog.
func (n *Notifier) Watchdog() time.Duration {
	if n == nil {
		return 0
	}
	return n.watchdog
}
