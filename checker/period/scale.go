package period

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The scales.
const (
	year = iota
	month
	week // of the month, from Sunday to Saturday; the first one may be short
	yearDay
	monthDay
	weekDay
	hour
	minute
	second

	scales
)

// firstYear is the first year that a period can name.
const firstYear = 1970

// A scale is one of the units in which a period counts.
type scale struct {
	names     [2]string
	low, high int
	words     []string // of the values from low on, shortened
	letters   int      // how many letters of a word matter
}

var scaleTable = [scales]scale{
	year:     {names: [2]string{"yr", "year"}, low: 0, high: 383}, // years since firstYear
	month:    {names: [2]string{"mo", "month"}, low: 1, high: 12, letters: 3, words: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	week:     {names: [2]string{"wk", "week"}, low: 1, high: 6},
	yearDay:  {names: [2]string{"yd", "yday"}, low: 1, high: 366},
	monthDay: {names: [2]string{"md", "mday"}, low: 1, high: 31},
	weekDay:  {names: [2]string{"wd", "wday"}, low: 1, high: 7, letters: 2, words: strings.Fields("su mo tu we th fr sa")},
	hour:     {names: [2]string{"hr", "hour"}, low: 0, high: 23},
	minute:   {names: [2]string{"min", "minute"}, low: 0, high: 59},
	second:   {names: [2]string{"sec", "second"}, low: 0, high: 59},
}

// scaleOf returns the scale with a name, -1 if there is none.
func scaleOf(name string) int {
	for s := range scaleTable {
		if n := &scaleTable[s].names; name == n[0] || name == n[1] {
			return s
		}
	}
	return -1
}

// addRanges adds ranges such as "9am-11am 2pm" to a set.
func (s *scale) addRanges(to *set, text string) error {
	// Blanks beside the hyphen of a range are allowed.
	words := strings.Fields(strings.ReplaceAll(strings.Join(strings.Fields(text), " "), " - ", "-"))
	if len(words) == 0 {
		return fmt.Errorf("%s has no range", s.names[0])
	}
	for _, word := range words {
		from, until, isRange := strings.Cut(word, "-")
		low, err := s.value(from)
		high := low
		if err == nil && isRange {
			high, err = s.value(until)
		}
		if err != nil {
			return err
		}
		s.addRange(to, low, high)
	}
	return nil
}

// addRange adds the values from low to high. Years do not go round: they are put in
// order.
func (s *scale) addRange(to *set, low, high int) {
	if low > high && s.names[0] == "yr" {
		low, high = high, low
	}
	for n := low; ; n++ {
		if n > s.high {
			n = s.low
		}
		to.add(n)
		if n == high {
			return
		}
	}
}

// value returns the value that a word means: a number, a name, an hour like 9pm, or a
// year.
func (s *scale) value(word string) (int, error) {
	for i, name := range s.words {
		if len(word) >= s.letters && word[:s.letters] == name {
			return s.low + i, nil
		}
	}
	n, err := strconv.Atoi(word)
	switch s.names[0] {
	case "hr":
		n, err = hourOf(word)
	case "yr":
		if err == nil && 0 <= n && n <= 99 { // of this century
			n += time.Now().Year() / 100 * 100
		}
		n -= firstYear
	}
	if err != nil || n < s.low || n > s.high {
		return 0, fmt.Errorf("%q is not a value of %s", word, s.names[0])
	}
	return n, nil
}

// hourOf returns the hour that 17, 5pm, 12am (midnight) or 12noon means.
func hourOf(word string) (int, error) {
	digits := strings.TrimRight(word, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.Atoi(digits)
	suffix := word[len(digits):]
	switch {
	case err != nil, suffix == "":
		return n, err
	case n < 1 || n > 12:
		return 0, fmt.Errorf("no such hour")
	case suffix == "am":
		return n % 12, nil
	case suffix == "pm":
		return n%12 + 12, nil
	case suffix == "noon" && n == 12:
		return 12, nil
	}
	return 0, fmt.Errorf("no such hour")
}
