package conf

import (
	"fmt"
	"strconv"
	"strings"
)

// An ExitRange is a range of exit statuses of a program, with both ends.
type ExitRange struct{ From, To int }

// String returns "2" or "1-3".
func (r ExitRange) String() string {
	if r.From == r.To {
		return strconv.Itoa(r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// exitRange is "2" or "1-3". The status 0 is no failure, so no range begins with it.
var exitRange = textual("an exit status or a range", func(s string) (ExitRange, error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	first, err1 := strconv.ParseUint(strings.TrimSpace(from), 10, 8)
	last, err2 := strconv.ParseUint(strings.TrimSpace(to), 10, 8)
	if err1 != nil || err2 != nil || first > last || first == 0 {
		return ExitRange{}, fmt.Errorf(`must be an exit status from 1 to 255, or a range like "1-3", not %s`, quoteShort(s))
	}
	return ExitRange{int(first), int(last)}, nil
}, ExitRange.String)
