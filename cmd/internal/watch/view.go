package watch

import (
	"fmt"
	"strings"

	"holdfast/cmd/internal/status"
)

// view returns the screen as lines; it has at most height of them.
func (m *model) view() string {
	if m.width == 0 || m.height == 0 {
		return ""
	}
	lines := m.head()
	if m.help {
		for _, line := range helpText {
			lines = append(lines, m.cutTo(line))
		}
		return fit(lines, m.height)
	}
	foot := m.foot()
	body := m.list(m.height - len(lines) - len(foot))
	for len(lines)+len(body)+len(foot) < m.height {
		body = append(body, "")
	}
	lines = append(lines, body...)
	return fit(append(lines, foot...), m.height)
}

func fit(lines []string, height int) string {
	return strings.Join(lines[:min(len(lines), height)], "\n")
}

// room is the number of rows that the list shows.
func (m *model) room() int { return m.height - len(m.head()) - len(m.foot()) - 1 }

func (m *model) paint(text, style string) string {
	if !m.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// cutTo returns a line of plain text that is not wider than the screen.
func (m *model) cutTo(text string) string {
	runes := []rune(status.Wrap(text, 0)[0])
	if len(runes) <= m.width {
		return string(runes)
	}
	return string(runes[:max(0, m.width-1)]) + "…"
}

// head says who is shown, what is unwell, and which list follows.
func (m *model) head() []string {
	lines := []string{m.paint(m.cutTo(m.title()), "1")}
	if m.trouble != "" {
		lines = append(lines, m.paint(m.cutTo(m.trouble+"; asked again each second"), "1;31"))
	}
	if m.status != nil {
		lines = append(lines, m.unwell()...)
	}
	return append(lines, m.tabs())
}

func (m *model) title() string {
	s := m.status
	if s == nil {
		return "holdfast"
	}
	title := fmt.Sprintf("%s  up %s  holdfast %s  %s", s.Director, s.Ago(s.Started), s.Software, s.Now.Local().Format("15:04:05"))
	if m.trouble != "" {
		title += " (old)"
	}
	return title
}

// unwell returns the problems, as many as leave room for a list.
func (m *model) unwell() []string {
	problems := m.status.Unwell()
	most := max(1, m.height/5)
	var lines []string
	for i, problem := range problems {
		if i == most-1 && len(problems) > most {
			lines = append(lines, m.paint(fmt.Sprintf("UNWELL: and %d more", len(problems)-i), "1;31"))
			break
		}
		lines = append(lines, m.paint(m.cutTo("UNWELL: "+problem), "1;31"))
	}
	return lines
}

func (m *model) tabs() string {
	var parts []string
	width := 0
	for p, name := range []string{"1 routers", "2 services", "3 checks", "4 events"} {
		if m.opened != "" && pane(p) == services {
			name = "2 " + m.opened
		}
		name = " " + name + " "
		if width += len([]rune(name)); width > m.width {
			break
		}
		if pane(p) == m.pane {
			name = "\x1b[7m" + name + "\x1b[0m"
		}
		parts = append(parts, name)
	}
	return strings.Join(parts, "")
}

// list returns the names of the columns and the rows around the selected one.
func (m *model) list(height int) []string {
	all := m.rows()
	rows := max(0, height-1)
	if rows == 0 {
		return nil
	}
	first := max(0, min(m.selected-rows/2, len(all)-rows))
	last := min(len(all), first+rows)
	cells := make([][]string, 0, last-first)
	for _, r := range all[first:last] {
		cells = append(cells, r.cells)
	}
	if len(all) == 0 {
		return []string{"", "  " + m.nothing()}
	}
	return status.Columns(status.Look{Width: m.width, Colour: m.colour}, m.names(), cells, m.selected-first)
}

func (m *model) nothing() string {
	switch {
	case m.filter != "":
		return "nothing contains " + m.filter
	case m.status == nil && m.pane != events:
		return "waiting for an answer"
	}
	return "none"
}

// foot returns what is said of the selected row, and the last line: a question, the
// filter, or the keys.
func (m *model) foot() []string {
	var lines []string
	if r, ok := m.current(); ok {
		for _, note := range r.notes {
			if len(lines) < 2 && note != "" {
				lines = append(lines, m.paint(m.cutTo("  "+note), "2"))
			}
		}
	}
	for len(lines) < 2 && m.height >= 16 { // the list does not jump from row to row
		lines = append(lines, "")
	}
	return append(lines, m.lastLine())
}

func (m *model) lastLine() string {
	switch {
	case m.question != nil:
		return m.paint(m.cutTo(fmt.Sprintf("%s %s of %s? y/N ", m.question.Verb, m.question.Server, m.question.Service)), "1;33")
	case m.filtering:
		return m.cutTo("filter: " + m.filter + "_   Enter keeps it, Esc takes it away")
	case m.said != "":
		return m.cutTo(m.said)
	}
	keys := "q quit  ? help  Tab list  / filter  s sort"
	switch {
	case m.opened != "":
		keys = "q quit  ? help  Esc back  d drain  e enable"
	case m.pane == services:
		keys += "  Enter open"
	}
	order := ""
	if !m.worst {
		order = "  as configured"
	}
	if m.filter != "" {
		order += "  only " + m.filter
	}
	return m.paint(m.cutTo(fmt.Sprintf("%d/%d%s  %s", min(m.selected+1, len(m.rows())), len(m.rows()), order, keys)), "2")
}

var helpText = []string{
	"",
	"  Tab, 1 2 3 4   virtual routers, services, checks, events",
	"  arrows, PgUp PgDn Home End   select",
	"  Enter          open a service, with its last failures",
	"  Esc            back; take the filter away",
	"  d  e           drain or enable the server, after y",
	"  /              show only rows that contain a text",
	"  s              what is unwell first, or as configured",
	"  q              quit",
	"",
	"  any key goes back",
}
