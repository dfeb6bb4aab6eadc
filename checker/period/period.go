// Package period tells whether a time is within a period of the week or the year, in
// the notation of Perl's Time::Period, which mon uses:
//
//	wd {Mon-Fri} hr {9am-5pm}, wd {Sat} hr {9am-11am}
//
// A period is a list of parts, separated by commas. A part holds at the times that
// are in the ranges of all its scales. A range includes both ends, and an end is the
// whole hour, day or month: 9am-5pm ends at 18:00. A range whose end is before its
// beginning goes round: hr {10pm-5am}. The empty period is always, "none" is never.
// "not" in front of the whole list is every other time; mon has exclude_period for it.
package period

import (
	"fmt"
	"strings"
	"time"
)

// A Period is a set of times. The zero Period is always.
type Period struct {
	never bool
	not   bool
	parts []part
}

// A part holds, for each scale that is given, which of its values are in the part.
type part [scales]*set

// A set has a bit for each value of a scale. Years are counted from firstYear.
type set [6]uint64

func (s *set) add(n int)      { s[n/64] |= 1 << (n % 64) }
func (s *set) has(n int) bool { return n >= 0 && n/64 < len(s) && s[n/64]&(1<<(n%64)) != 0 }

// Parse returns the period that text means.
func Parse(text string) (Period, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	switch lower {
	case "":
		return Period{}, nil
	case "none":
		return Period{never: true}, nil
	}
	var p Period
	if rest, ok := strings.CutPrefix(lower, "not "); ok {
		p.not, lower = true, rest
	}
	for one := range strings.SplitSeq(lower, ",") {
		part, err := parsePart(one)
		if err != nil {
			return Period{}, fmt.Errorf("period %q: %w", text, err)
		}
		p.parts = append(p.parts, part)
	}
	return p, nil
}

// parsePart reads "wd {mon-fri} hr {9-17}".
func parsePart(text string) (part, error) {
	var p part
	rest := strings.TrimSpace(text)
	if rest == "" {
		return p, fmt.Errorf("a comma has nothing beside it")
	}
	for rest != "" {
		name, behind, open := strings.Cut(rest, "{")
		ranges, next, closed := strings.Cut(behind, "}")
		name = strings.TrimSpace(name)
		if !open || !closed {
			return p, fmt.Errorf("%q is not a scale with ranges in braces, like hr {9am-5pm}", rest)
		}
		s := scaleOf(name)
		if s < 0 {
			return p, fmt.Errorf("%q is not a scale; it can be yr mo wk yd md wd hr min sec", name)
		}
		if p[s] == nil {
			p[s] = new(set)
		}
		if err := scaleTable[s].addRanges(p[s], ranges); err != nil {
			return p, err
		}
		rest = strings.TrimSpace(next)
	}
	return p, nil
}

// Contains reports whether t is in the period, in the time zone of t.
func (p Period) Contains(t time.Time) bool {
	if p.never || len(p.parts) == 0 {
		return !p.never
	}
	now := valuesAt(t)
	for i := range p.parts {
		if p.parts[i].contains(&now) {
			return !p.not
		}
	}
	return p.not
}

func (p *part) contains(now *[scales]int) bool {
	for s, set := range p {
		if set != nil && !set.has(now[s]) {
			return false
		}
	}
	return true
}

// valuesAt returns the value of each scale at t.
func valuesAt(t time.Time) [scales]int {
	weekday := int(t.Weekday())
	first := (weekday - (t.Day() - 1) + 35) % 7 // weekday of the first of the month
	return [scales]int{
		year: t.Year() - firstYear, month: int(t.Month()), week: (t.Day()-1+first)/7 + 1,
		yearDay: t.YearDay(), monthDay: t.Day(), weekDay: weekday + 1,
		hour: t.Hour(), minute: t.Minute(), second: t.Second(),
	}
}
