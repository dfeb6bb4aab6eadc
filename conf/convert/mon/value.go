package mon

import (
	"strconv"
	"strings"
	"time"

	"holdfast/conf/convert"
)

var timeText = convert.Pattern(`(?i)^(\d+(?:\.\d+)?)([dhms])$`)

// duration reads a time as dhmstos does: a number and a unit.
func duration(text string) (time.Duration, bool) {
	m := timeText().FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n > 1e7 {
		return 0, false
	}
	unit := map[string]time.Duration{"d": 24 * time.Hour, "h": time.Hour, "m": time.Minute, "s": time.Second}[strings.ToLower(m[2])]
	return time.Duration(n * float64(unit)), n > 0
}

// durationText writes a time in the units that people use: 10m, 1h30m, 90s.
func durationText(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	if text == "" || !strings.ContainsAny(text[len(text)-1:], "hms") {
		return d.String()
	}
	return text
}

// words splits a text as quotewords of Perl's Text::ParseWords does: quotes hold words
// together and go away, and a backslash takes the next character as it is, but not in
// single quotes. It returns false for a quote without an end: Perl returns nothing then.
func words(text string) (all []string, ok bool) {
	var word strings.Builder
	var quote rune
	open, escaped := false, false
	for _, r := range strings.TrimSpace(text) {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			open, escaped = true, true
		case quote != 0:
			if r == quote {
				quote = 0
				continue
			}
			word.WriteRune(r)
		case r == '"' || r == '\'':
			open, quote = true, r
		case r == ' ' || r == '\t':
			if open {
				all = append(all, word.String())
			}
			word.Reset()
			open = false
		default:
			open = true
			word.WriteRune(r)
		}
	}
	if open {
		all = append(all, word.String())
	}
	return all, quote == 0 && !escaped
}
