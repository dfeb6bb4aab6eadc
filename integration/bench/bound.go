package main

import "fmt"

// A bound is a requirement on holdfast in a row: a statistic of a measure must not be
// above (with floor: below) a limit, which is a number, or another contender's value
// times a factor plus some slack.
type bound struct {
	measure string
	of      statistic
	limit   float64 // or the slack, if beside
	beside  string  // the limit is the value of this contender; "": of nobody
	times   float64 // the factor, if beside
	floor   bool
	// perInterval: the limit follows from the row's interval.
	perInterval bool
}

type statistic struct {
	name string
	take func(figures) float64
}

var (
	theMedian  = statistic{"median", median}
	theMaximum = statistic{"max", greatest}
	theMinimum = statistic{"min", least}
	theTotal   = statistic{"total", sum}
)

func atMost(measure string, of statistic, limit float64) bound {
	return bound{measure: measure, of: of, limit: limit}
}

// mostOfDue wants at least so many percent of what is due in the worst round.
func mostOfDue(percent float64) bound {
	return bound{measure: "% of due", of: theMinimum, limit: percent, floor: true}
}

// noMoreThanKeepalived allows a slack of the measure's resolution. Without it, two
// equal programs would each exceed the other half of the time.
func noMoreThanKeepalived(measure string, of statistic, slack float64) bound {
	return bound{measure: measure, of: of, beside: keepalived.name, times: 1, limit: slack}
}

// timesOf allows so many times the value of another contender.
func timesOf(measure string, of statistic, times float64, contender string) bound {
	return bound{measure: measure, of: of, beside: contender, times: times}
}

// String is the bound as the legend shows it.
func (b bound) String() string {
	sign, limit := "≤", number(b.limit)
	if b.floor {
		sign = "≥"
	}
	if b.beside != "" {
		limit = b.beside + "'s"
		if b.times != 1 {
			limit = number(b.times) + " × " + limit
		}
		if b.limit > 0 {
			limit += " + " + number(b.limit)
		}
	}
	return fmt.Sprintf("%s: %s %s %s", b.measure, b.of.name, sign, limit)
}

// judge compares every row of holdfast with its bounds. It leaves out bounds for
// which there is nothing to compare with.
func (r *report) judge() {
	for _, mine := range r.Rows {
		mine.Met, mine.Short = nil, nil
		for _, b := range mine.bounds {
			m := mine.measure(b.measure)
			if m == nil {
				continue
			}
			limit := b.limit
			if b.beside != "" {
				other := r.beside(mine, b.beside)
				if other == nil || other.measure(b.measure) == nil {
					continue
				}
				limit += b.times * b.of.take(other.measure(b.measure).Values)
			}
			value := b.of.take(m.Values)
			kept, sign := value <= limit, "≤"
			if b.floor {
				kept, sign = value >= limit, "≥"
			}
			if kept {
				mine.Met = append(mine.Met, fmt.Sprintf("%s %s %s %s", b.measure, number(value), sign, number(limit)))
			} else {
				mine.Short = append(mine.Short, fmt.Sprintf("%s %s, not %s %s", b.measure, number(value), sign, number(limit)))
			}
		}
	}
}
