package director

import (
	"fmt"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/lvs"
)

// A ServiceManager is told how the daemon is: systemd, by sd_notify(3). No method blocks.
type ServiceManager interface {
	// Reloading says that a reload begins. Ready follows, also if the reload fails.
	Reloading()
	// Ready says that everything is up, or that a reload is over.
	Ready()
	// Status gives one line for people.
	Status(text string)
	// Alive says that adverts go out. It must be called again within Watchdog.
	Alive()
	// Watchdog returns after which time without Alive the manager kills the daemon;
	// 0: never.
	Watchdog() time.Duration
}

// noManager is the ServiceManager of a daemon that nobody manages.
type noManager struct{}

func (noManager) Reloading()              {}
func (noManager) Ready()                  {}
func (noManager) Status(string)           {}
func (noManager) Alive()                  {}
func (noManager) Watchdog() time.Duration { return 0 }

// managed is the subsystem that gives the service manager its line, after changes.
type managed struct {
	base
	manager ServiceManager
	text    func() string
	said    string
	waiting bool // for the end of the pause
}

// statusPause bounds how often the line is made: a failover of a thousand virtual
// routers is one change.
const statusPause = 500 * time.Millisecond

func (m *managed) handle(e *event.Event) {
	switch e.Kind {
	case event.KindInstance, event.KindService, event.KindConfig:
	default:
		return
	}
	if !m.waiting {
		m.waiting = true
		time.AfterFunc(statusPause, func() { m.post(m.say) })
	}
}

func (m *managed) say() {
	m.waiting = false
	if text := m.text(); text != m.said {
		m.said = text
		m.manager.Status(text)
	}
}

// summary says in one line what the director does now.
func (d *Director) summary() string {
	var parts []string
	if err := d.reloaded.err; err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		parts = append(parts, "reload refused, the former configuration runs on: "+first)
	}
	byState := map[string][]string{}
	for i := range d.conf.VRRP {
		name := d.conf.VRRP[i].Name
		state := d.published.states[[2]string{event.KindInstance, name}]
		byState[state] = append(byState[state], name)
	}
	for _, state := range []string{event.Fault, event.Master, event.Backup} {
		if names := byState[state]; len(names) > 0 {
			parts = append(parts, state+" of "+someOf(names, "virtual routers"))
		}
	}
	if names := byState[""]; len(names) > 0 { // no event yet: their trackers are not known
		parts = append(parts, event.Init+" of "+someOf(names, "virtual routers"))
	}
	if text := d.servicesSummary(); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func (d *Director) servicesSummary() string {
	var up int
	var down []string
	for i := range d.conf.Services {
		switch name := d.conf.Services[i].Name; d.services.balance.table.ServiceHealth(name) {
		case lvs.Up:
			up++
		case lvs.Down:
			down = append(down, name)
		}
	}
	switch {
	case len(down) > 0:
		return "services down: " + someOf(down, "services")
	case up == 0:
		return ""
	case up == 1:
		return "1 service up"
	}
	return fmt.Sprintf("%d services up", up)
}

// someOf lists few names, and counts many.
func someOf(names []string, what string) string {
	const few = 4
	if len(names) > few {
		return fmt.Sprintf("%d %s", len(names), what)
	}
	return strings.Join(names, ", ")
}
