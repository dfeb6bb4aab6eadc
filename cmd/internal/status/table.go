package status

import (
	"strings"
	"unicode/utf8"
)

// A table lays out text in columns. Notes follow their row, outside the columns.
type table struct {
	right []bool // columns that are aligned to the right, by index
	rows  []tableRow
}

type tableRow struct {
	cells []string
	notes []string
}

// header adds the first row. A column whose name begins with ">" is aligned to
// the right.
func (t *table) header(names ...string) {
	cells := make([]string, len(names))
	t.right = make([]bool, len(names))
	for i, name := range names {
		cells[i] = strings.TrimPrefix(name, ">")
		t.right[i] = cells[i] != name
	}
	t.row(cells...)
}

func (t *table) row(cells ...string) {
	t.rows = append(t.rows, tableRow{cells: cells})
}

// note adds a line below the latest row. It does nothing if text is "".
func (t *table) note(text string) {
	if text == "" {
		return
	}
	r := &t.rows[len(t.rows)-1]
	r.notes = append(r.notes, text)
}

// write writes the table to b. It indents each row by two spaces and each note by six.
func (t *table) write(b *strings.Builder) {
	width := make([]int, len(t.right))
	for _, r := range t.rows {
		for i, cell := range r.cells {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range t.rows {
		var line strings.Builder
		for i, cell := range r.cells {
			line.WriteString("  ")
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		for _, note := range r.notes {
			b.WriteString("      " + note + "\n")
		}
	}
}
