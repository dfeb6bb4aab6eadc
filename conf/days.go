package conf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// day is a day of 24 hours.
const day = 24 * time.Hour

// days is a duration from low to high, which can also be written as whole days:
// "14d".
func days(low, high time.Duration) codec[time.Duration] {
	exact := duration(low, high)
	return codec[time.Duration]{
		decode: func(v value, fail func(value, string)) (time.Duration, bool) {
			text, ok := v.data.(string)
			if !ok {
				return exact.decode(v, fail)
			}
			if digits, isDays := strings.CutSuffix(text, "d"); isDays {
				if n, err := strconv.ParseUint(digits, 10, 16); err == nil {
					v.data = (time.Duration(n) * day).String()
				}
			}
			if _, err := time.ParseDuration(v.data.(string)); err != nil {
				fail(v, fmt.Sprintf(`must be a duration like "14d" or "36h", not %s`, quoteShort(text)))
				return 0, false
			}
			return exact.decode(v, fail)
		},
		encode: func(d time.Duration) any {
			if d != 0 && d%day == 0 {
				return strconv.Itoa(int(d/day)) + "d"
			}
			return exact.encode(d)
		},
	}
}
