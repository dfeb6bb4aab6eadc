package status

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Columns returns lines with rows of cells in columns, the names of the columns first,
// as the tables of Render have them. The row selected is in reverse video; -1: none.
func Columns(look Look, names []string, rows [][]string, selected int) []string {
	var t table
	t.header(names...)
	for _, cells := range rows {
		t.row(cells...)
	}
	p := &page{look: look}
	width := t.widths(look.Width)
	lines := make([]string, 0, len(t.rows))
	for i := range t.rows {
		if i-1 != selected || i == 0 {
			lines = append(lines, t.line(p, &t.rows[i], width, i == 0))
			continue
		}
		line := t.line(&page{}, &t.rows[i], width, false)
		pad := max(0, look.Width-utf8.RuneCountInString(line))
		lines = append(lines, "\x1b[7m"+line+strings.Repeat(" ", pad)+"\x1b[0m")
	}
	return lines
}

// Wrap breaks a line of plain text at its blanks, without control characters.
func Wrap(line string, width int) []string { return wrap(clean(line), width) }

// Ago returns the time from t to s.Now as Render shows it.
func (s *Status) Ago(t time.Time) string { return s.ago(t) }

// MasterText returns the address of the MASTER, "here" or "-".
func (i *Instance) MasterText() string { return i.master() }

// Count returns n with a decimal prefix if it is large.
func Count(n uint64) string { return count(n) }
