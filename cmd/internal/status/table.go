package status

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A table lays out text in columns. Notes follow their row, outside the columns.
type table struct {
	right []bool // columns that are aligned to the right, by index
	// drop is the order in which columns are left out where there is no room, by index:
	// 1 first; 0 never.
	drop []int
	// state is the index of the column STATE, by which rows that are left out are summed
	// up; -1: there is none.
	state int
	// brief has limit leave only rows that are unwell. What says what the rows are.
	brief bool
	what  string
	rows  []tableRow
}

type tableRow struct {
	cells []string
	notes []string
	rank  int
}

// Ranks of rows. Where there is no room, those of a lower rank are left out first.
const (
	rankDetail = -1
	rankUsual  = 0
	rankUnwell = 1
)

// header adds the first row. A column whose name begins with ">" is aligned to
// the right. One whose name ends with "~" and a number is left out where there is no
// room, that with the lowest number first.
func (t *table) header(names ...string) {
	cells := make([]string, len(names))
	t.right, t.drop, t.state = make([]bool, len(names)), make([]int, len(names)), -1
	for i, name := range names {
		name, order, _ := strings.Cut(name, "~")
		t.drop[i], _ = strconv.Atoi(order) // none is 0
		cells[i] = strings.TrimPrefix(name, ">")
		t.right[i] = cells[i] != name
		if cells[i] == "STATE" {
			t.state = i
		}
	}
	t.row(cells...)
}

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = clean(cell)
	}
	t.rows = append(t.rows, tableRow{cells: cells})
}

// rank sets the rank of the latest row.
func (t *table) rank(rank int) { t.rows[len(t.rows)-1].rank = rank }

// unwell gives the latest row the rank of what is unwell, if it is.
func (t *table) unwell(is bool) {
	if is {
		t.rank(rankUnwell)
	}
}

// note adds a line below the latest row. It does nothing if text is "".
func (t *table) note(text string) {
	if text == "" {
		return
	}
	r := &t.rows[len(t.rows)-1]
	r.notes = append(r.notes, text)
}

// write writes the table. It indents each row by two spaces and each note by six.
func (t *table) write(p *page) {
	hidden := t.limit(p.limit)
	width := t.widths(p.look.Width)
	for i, r := range t.rows {
		p.WriteString(done + t.line(p, &r, width, i == 0) + "\n")
		for _, note := range r.notes {
			p.WriteString("      " + note + "\n")
		}
	}
	if len(hidden) > 0 {
		p.cut = true
		p.WriteString("  " + t.sum(hidden) + "\n")
	}
}

// limit leaves at most n rows beside the header, and returns those that it took out.
func (t *table) limit(n int) (hidden []tableRow) {
	body := t.rows[1:]
	if n <= 0 || len(body) <= n+1 { // the line that says how many there are takes one too
		return nil
	}
	order := make([]int, len(body))
	for i := range order {
		order[i] = i
	}
	if t.brief {
		n = min(n, t.countUnwell())
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(body[b].rank, body[a].rank) })
	shown := make([]bool, len(body))
	for _, i := range order[:n] {
		shown[i] = true
	}
	kept := t.rows[:1:1]
	for i, r := range body {
		if shown[i] {
			kept = append(kept, r)
		} else {
			hidden = append(hidden, r)
		}
	}
	t.rows = kept
	return hidden
}

func (t *table) countUnwell() int {
	n := 0
	for _, r := range t.rows {
		if r.rank >= rankUnwell {
			n++
		}
	}
	return n
}

// sum returns how many rows were left out, by their state.
func (t *table) sum(hidden []tableRow) string {
	text := strings.TrimRight(fmt.Sprintf("and %d more %s", len(hidden), t.what), " ")
	if t.state < 0 {
		return text
	}
	states := map[string]int{}
	for _, r := range hidden {
		word, _, _ := strings.Cut(r.cells[t.state], " ")
		states[word]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(states)) {
		parts = append(parts, fmt.Sprintf("%d %s", states[state], state))
	}
	return text + ": " + strings.Join(parts, ", ")
}

// widths returns the width of each column; -1 is one that is left out, because the
// terminal is not wide enough.
func (t *table) widths(room int) []int {
	width := make([]int, len(t.right))
	for _, r := range t.rows {
		for i, cell := range r.cells {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	if room <= 0 {
		return width
	}
	for total(width) > room {
		least := -1
		for i, order := range t.drop {
			if order > 0 && width[i] >= 0 && (least < 0 || order < t.drop[least]) {
				least = i
			}
		}
		if least < 0 {
			break
		}
		width[least] = -1
	}
	for excess := total(width) - room; excess > 0; excess = total(width) - room {
		widest := slices.Index(width, slices.Max(width))
		if width[widest] <= minWidth {
			break
		}
		width[widest] = max(minWidth, width[widest]-excess)
	}
	return width
}

// minWidth is the width to which a column may be cut.
const minWidth = 8

func total(width []int) int {
	sum := 0
	for _, w := range width {
		if w >= 0 {
			sum += 2 + w
		}
	}
	return sum
}

func (t *table) line(p *page, r *tableRow, width []int, header bool) string {
	var line strings.Builder
	pad := 0 // blanks that the next cell needs before it
	for i, cell := range r.cells {
		if width[i] < 0 {
			continue
		}
		cell = shorten(cell, width[i])
		style := cellStyle(cell)
		if header {
			style = faint
		}
		rest := width[i] - utf8.RuneCountInString(cell)
		pad += 2
		if t.right[i] {
			pad += rest
			rest = 0
		}
		if cell != "" {
			line.WriteString(strings.Repeat(" ", pad) + p.paint(cell, style))
			pad = 0
		} else {
			pad += utf8.RuneCountInString(cell)
		}
		pad += rest
	}
	return line.String()
}

// shorten cuts a text to a width, and shows that it did.
func shorten(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
