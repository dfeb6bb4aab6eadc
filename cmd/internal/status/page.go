package status

import (
	"strings"
	"unicode/utf8"
)

// A Look says how the text is to look. The zero Look is the whole text without colours,
// for files and pipes.
type Look struct {
	Section Section
	Width   int // of the terminal in columns; 0: unlimited
	// Height is the number of lines that there is room for, with SectionAll; 0: unlimited.
	// What does not fit is summed up, and what is unwell is shown first.
	Height int
	Colour bool
}

// Text returns s, or one section of s, as text for people: the whole of it.
func (s *Status) Text(section Section) string { return s.Render(Look{Section: section}) }

// limits are the numbers of rows of a table that are tried, until the text fits.
var limits = []int{50, 30, 20, 15, 12, 10, 8, 6, 5, 4, 3, dense, 1}

// dense is the limit from which on empty lines are left out too.
const dense = 2

// Render returns s as text for people. The text has a header about the director, a line
// for each problem, and tables with a row for each object.
func (s *Status) Render(look Look) string {
	text := s.render(look, 0)
	if look.Section != SectionAll || look.Height <= 0 {
		return text
	}
	for _, limit := range limits {
		if strings.Count(text, "\n") <= look.Height {
			break
		}
		text = s.render(look, limit)
	}
	return text
}

func (s *Status) render(look Look, limit int) string {
	p := &page{look: look, limit: limit}
	s.sections(p, look.Section)
	return p.finish()
}

// A page is text that is being written.
type page struct {
	strings.Builder
	look  Look
	limit int  // rows of a table; 0: unlimited
	cut   bool // some rows were left out
}

// done marks a line that has its final form.
const done = "\x00"

// finish wraps and colours the lines that are not done.
func (p *page) finish() string {
	if p.cut {
		p.WriteString("\nnot all is shown: see holdfast status vrrp, lvs or checks\n")
	}
	var b strings.Builder
	first := true
	for line := range strings.Lines(p.String()) {
		line = strings.TrimSuffix(line, "\n")
		if text, ok := strings.CutPrefix(line, done); ok {
			b.WriteString(text + "\n")
			continue
		}
		if line == "" && p.limit > 0 && p.limit <= dense {
			continue
		}
		style := lineStyle(line, first)
		first = false
		for _, part := range wrap(clean(line), p.look.Width) {
			b.WriteString(p.paint(part, style) + "\n")
		}
	}
	return b.String()
}

// lineStyle returns the style of a line that belongs to no table.
func lineStyle(line string, first bool) string {
	switch {
	case first:
		return bold
	case strings.HasPrefix(line, "  UNWELL: "):
		return red
	case line != "" && line == strings.ToUpper(line) && !strings.HasPrefix(line, " "):
		return bold
	case strings.HasPrefix(line, "not all is shown"):
		return faint
	}
	return ""
}

// Styles are SGR parameters (ECMA-48, 8.3.117).
const (
	bold   = "1"
	faint  = "2"
	red    = "1;31"
	green  = "32"
	yellow = "33"
)

func (p *page) paint(text, style string) string {
	if !p.look.Colour || style == "" || text == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// cellStyle returns the style of a cell by its first word.
func cellStyle(cell string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(cell), " ")
	switch strings.TrimSuffix(word, ",") {
	case "FAULT", "down", "MISSING", "Down":
		return red
	case "MASTER", "up", "Up":
		return green
	case "fallback", "unknown", "INIT", "Init", "waiting":
		return yellow
	}
	if strings.HasSuffix(cell, "drained") {
		return yellow
	}
	return ""
}

// clean replaces control characters: what a server answered must not steer a terminal.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return utf8.RuneError
		}
		return r
	}, text)
}

// wrap breaks a line at its blanks. What follows is indented by four more columns.
func wrap(line string, width int) []string {
	if width <= 0 || utf8.RuneCountInString(line) <= width {
		return []string{line}
	}
	body := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(body)]
	var lines []string
	now := ""
	for word := range strings.FieldsSeq(body) {
		switch {
		case now == "":
			now = indent + word
		case utf8.RuneCountInString(now)+1+utf8.RuneCountInString(word) <= width:
			now += " " + word
		default:
			lines = append(lines, now)
			now = indent + "    " + word
		}
	}
	return append(lines, now)
}
