package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// print shows one table for each experiment, and last the result of all bounds.
func (r *report) print(w io.Writer) {
	r.judge()
	fmt.Fprintf(w, "\nLinux %s, %d CPUs, load before %s, seed %d, took %s\n"+
		"Rounds: median (min..max); losses: total, in how many rounds; ×: holdfast's median / keepalived's.\n",
		r.Kernel, r.CPUs, strings.TrimSpace(r.Load), r.Seed, r.Took)
	for _, e := range experiments {
		rows := r.of(e.name)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s: %s\n", strings.ToUpper(e.name), e.about)
		r.table(w, rows)
		legend(w, rows)
	}
	r.summary(w)
}

func (r *report) of(experiment string) []*row {
	var some []*row
	for _, row := range r.Rows {
		if row.Experiment == experiment {
			some = append(some, row)
		}
	}
	return some
}

func (r *report) table(w io.Writer, rows []*row) {
	columns := columnsOf(rows)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "case\tinterval\t\t%s\tverdict\n", strings.Join(columns, "\t"))
	for _, row := range rows {
		cells := []string{row.Case, row.Interval, row.Contender}
		for _, column := range columns {
			cells = append(cells, r.cell(row, column))
		}
		fmt.Fprintf(out, "%s\t%s\n", strings.Join(cells, "\t"), row.verdict())
	}
	_ = out.Flush() // what the terminal does not take is in the file
	for _, row := range rows {
		if len(row.Scheduling) > 0 {
			fmt.Fprintf(w, "scheduling of %s's threads at %s: %s\n", row.Contender, row.Interval, strings.Join(row.Scheduling, ", "))
		}
	}
}

// columnsOf lists the measures of all rows. One that the first rows lack comes
// after the one that it follows where it is.
func columnsOf(rows []*row) []string {
	var columns []string
	for _, row := range rows {
		at := 0
		for _, m := range row.Measures {
			if found := slices.Index(columns, m.Name); found >= 0 {
				at = found + 1
				continue
			}
			columns = slices.Insert(columns, at, m.Name)
			at++
		}
	}
	return columns
}

func (r *report) cell(row *row, column string) string {
	m := row.measure(column)
	if m == nil {
		return ""
	}
	text := m.show(m.Values)
	if !m.ratio || row.Contender == keepalived.name {
		return text
	}
	if other := r.beside(row, keepalived.name); other != nil && other.measure(column) != nil {
		if theirs := median(other.measure(column).Values); theirs > 0 {
			text += fmt.Sprintf(" ×%.2f", median(m.Values)/theirs)
		}
	}
	return text
}

func (r *row) verdict() string {
	switch {
	case r.Error != "":
		return "FAILED: " + strings.SplitN(r.Error, "\n", 2)[0]
	case len(r.Short) > 0:
		return "short: " + strings.Join(r.Short, "; ")
	case len(r.Met) > 0:
		return "ok"
	default:
		return ""
	}
}

// legend says what holdfast is held to in the table above it.
func legend(w io.Writer, rows []*row) {
	var all []string
	for _, row := range rows {
		for _, b := range row.bounds {
			text := b.String()
			if b.perInterval {
				text += " at " + row.Interval
			}
			if !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	if len(all) > 0 {
		fmt.Fprintf(w, "ok means: %s\n", strings.Join(all, "; "))
	}
}

func (r *report) summary(w io.Writer) {
	met, short := 0, 0
	var lines []string
	for _, row := range r.Rows {
		met += len(row.Met)
		short += len(row.Short)
		for _, s := range row.Short {
			lines = append(lines, fmt.Sprintf("  short   %s: %s", row.name(), s))
		}
		if row.Error != "" {
			lines = append(lines, fmt.Sprintf("  failed  %s: %s", row.name(), strings.SplitN(row.Error, "\n", 2)[0]))
		}
	}
	fmt.Fprintf(w, "\n%d of %d bounds kept\n", met, met+short)
	for _, line := range lines {
		fmt.Fprintln(w, line)
	}
}
