package watch

import (
	"cmp"
	"slices"
	"strings"

	"holdfast/checker"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// A pane is one list.
type pane int

const (
	routers pane = iota
	services
	checks
	events
	panes // how many there are
)

// An Order is what the user wants of a server.
type Order struct {
	Verb            string // drain or enable
	Service, Server string
}

// maxEvents is how many events are kept.
const maxEvents = 500

// A model is what the view shows. Its methods change it and return what is to be done.
type model struct {
	status  *status.Status // nil until the first answer
	trouble string         // why there is no newer status
	events  []event.Event  // newest last

	width, height int
	colour        bool

	pane      pane
	selected  int    // row
	filter    string // rows must contain it
	filtering bool   // keys go to the filter
	worst     bool   // sorted: what is unwell first; else as configured
	opened    string // name of the service that is shown; "": none
	help      bool
	question  *Order
	said      string // what became of the latest order
}

// An action is what a key asks for beside a change of the view.
type action struct {
	quit  bool
	order *Order
}

// key handles a key by its name.
func (m *model) key(name, text string) action {
	switch {
	case name == "ctrl+c":
		return action{quit: true}
	case m.question != nil:
		return m.answer(name)
	case m.filtering:
		m.filterKey(name, text)
		return action{}
	case m.help:
		m.help = false
		return action{}
	}
	return m.command(name)
}

func (m *model) command(name string) action {
	switch name {
	case "q":
		return action{quit: true}
	case "?", "h":
		m.help = true
	case "/":
		m.filtering = true
	case "s":
		m.worst = !m.worst
	case "tab", "right":
		m.show((m.pane + 1) % panes)
	case "shift+tab", "left":
		m.show((m.pane + panes - 1) % panes)
	case "1", "2", "3", "4":
		m.show(pane(name[0] - '1'))
	case "esc", "backspace":
		m.back()
	case "enter":
		m.open()
	case "d":
		m.ask("drain")
	case "e":
		m.ask("enable")
	default:
		m.move(name)
	}
	return action{}
}

func (m *model) move(name string) {
	page := max(1, m.room())
	switch name {
	case "up", "k":
		m.selected--
	case "down", "j":
		m.selected++
	case "pgup":
		m.selected -= page
	case "pgdown", "space":
		m.selected += page
	case "home", "g":
		m.selected = 0
	case "end", "G":
		m.selected = len(m.rows()) - 1
	}
	m.clamp()
}

// clamp keeps the selected row among those that there are.
func (m *model) clamp() { m.selected = max(0, min(m.selected, len(m.rows())-1)) }

func (m *model) show(p pane) {
	m.pane, m.opened, m.selected, m.said = p, "", 0, ""
	if p == events {
		m.selected = len(m.rows()) - 1
		m.clamp()
	}
}

// back closes a service, or takes the filter away.
func (m *model) back() {
	switch {
	case m.opened != "":
		name := m.opened
		m.opened, m.said = "", ""
		m.selected = max(0, slices.IndexFunc(m.rows(), func(r row) bool { return r.service == name }))
	case m.filter != "":
		m.filter = ""
		m.clamp()
	}
}

// open shows the servers of the selected service.
func (m *model) open() {
	if r, ok := m.current(); ok && m.pane == services && m.opened == "" && r.service != "" {
		m.opened, m.selected, m.filter = r.service, 0, ""
	}
}

// ask asks whether the selected server is to be drained or enabled.
func (m *model) ask(verb string) {
	r, ok := m.current()
	if !ok || r.server == "" {
		m.said = "open a service with Enter and select a server first"
		return
	}
	m.said, m.question = "", &Order{verb, r.service, r.server}
}

// answer takes the answer to the question. Everything but y means no.
func (m *model) answer(name string) action {
	order := m.question
	m.question = nil
	if name == "y" || name == "Y" {
		m.said = "ordered: " + order.Verb + " " + order.Service + " " + order.Server
		return action{order: order}
	}
	m.said = "nothing was changed"
	return action{}
}

func (m *model) filterKey(name, text string) {
	switch {
	case name == "enter":
		m.filtering = false
	case name == "esc":
		m.filtering, m.filter = false, ""
	case name == "backspace":
		if runes := []rune(m.filter); len(runes) > 0 {
			m.filter = string(runes[:len(runes)-1])
		}
	default:
		m.filter += text
	}
	m.clamp()
}

// update takes a newer status, or why there is none.
func (m *model) update(s *status.Status, err error) {
	m.trouble = ""
	if err != nil {
		m.trouble = err.Error()
		return
	}
	m.status = s
	m.clamp()
}

// add takes newer events. The selection stays at the end if it was there.
func (m *model) add(newer []event.Event) {
	if len(newer) == 0 {
		return
	}
	atEnd := m.pane == events && m.selected >= len(m.rows())-1
	m.events = append(m.events, newer...)
	m.events = slices.Clone(m.events[max(0, len(m.events)-maxEvents):])
	if atEnd {
		m.selected = len(m.rows()) - 1
	}
	m.clamp()
}

// A row is a row of the present list.
type row struct {
	cells           []string
	unwell          bool
	service, server string // what it is about, for orders
	notes           []string
}

// current returns the selected row.
func (m *model) current() (row, bool) {
	all := m.rows()
	if m.selected < 0 || m.selected >= len(all) {
		return row{}, false
	}
	return all[m.selected], true
}

// rows returns the rows of the present list, filtered and sorted.
func (m *model) rows() []row {
	var all []row
	switch {
	case m.pane == events:
		all = m.eventRows()
	case m.status == nil:
	case m.pane == routers:
		all = m.routerRows()
	case m.pane == checks:
		all = m.checkRows()
	case m.opened != "":
		all = m.serverRows()
	default:
		all = m.serviceRows()
	}
	if m.filter != "" {
		all = slices.DeleteFunc(all, func(r row) bool {
			return !strings.Contains(strings.ToLower(strings.Join(r.cells, " ")), strings.ToLower(m.filter))
		})
	}
	if m.worst && m.pane != events {
		slices.SortStableFunc(all, func(a, b row) int { return cmp.Compare(rank(a), rank(b)) })
	}
	return all
}

func rank(r row) int {
	if r.unwell {
		return 0
	}
	return 1
}

// failure returns the latest failure of the checks of a server.
func (m *model) failure(service, server string) string {
	var latest checker.Result
	for i := range m.status.Checks {
		c := &m.status.Checks[i]
		if c.Server == service+"/"+server && len(c.Failures) > 0 && c.Failures[0].At.After(latest.At) {
			latest = c.Failures[0]
		}
	}
	if latest.At.IsZero() {
		return ""
	}
	return m.status.Ago(latest.At) + " ago: " + latest.Reason
}

func (m *model) service(name string) *lvs.ServiceStatus {
	if m.status == nil || m.status.LVS == nil {
		return nil
	}
	for i := range m.status.LVS.Services {
		if v := &m.status.LVS.Services[i]; v.Name == name {
			return v
		}
	}
	return nil
}
