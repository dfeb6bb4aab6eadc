package period

import (
	"strings"
	"testing"
	"time"
)

func TestContains(t *testing.T) {
	for _, c := range []struct{ period, in, out string }{
		// In each list: times of November 2026. The 28th is a Saturday.
		{"", "28 00:00:00, 28 23:59:59", ""},
		{"none", "", "28 12:00:00"},
		{"wd {Mon-Fri} hr {9am-5pm}", "27 09:00:00, 27 17:30:00, 27 17:59:59", "27 08:59:59, 27 18:00:00, 28 12:00:00"},
		{"wd{Mon-Fri}hr{9-17}", "27 17:59:59", "27 18:00:00"},
		{"WD { Monday - Friday }", "27 12:00:00", "28 12:00:00"},
		{"wd {1}", "29 12:00:00", "28 12:00:00"},
		{"wd {Fri-Mon}", "28 12:00:00, 30 12:00:00", "26 12:00:00"},
		{"wd {Mon Wed Fri} hr {9am-4pm}, wd {Tue Thu} hr {9am-2pm}", "27 16:59:59, 26 14:59:59", "27 17:00:00, 26 15:00:00"},
		{"hr {10pm-5am}", "28 22:00:00, 28 05:59:59", "28 06:00:00, 28 21:59:59"},
		{"not wd {Sat}, hr {9am}", "27 12:00:00", "28 12:00:00, 27 09:30:00"},
		{"hr {12am}", "28 00:30:00", "28 12:30:00"},
		{"hr {12noon 12pm}", "28 12:30:00", "28 00:30:00"},
		{"min {0-29}", "28 12:29:59", "28 12:30:00"},
		{"min {50-9}", "28 12:55:00, 28 12:09:59", "28 12:10:00"},
		{"sec {0-4 10-14}", "28 12:00:04, 28 12:00:10", "28 12:00:05"},
		{"md {28}", "28 12:00:00", "27 12:00:00"},
		{"md {20 28} md {27}", "27 12:00:00, 28 12:00:00", "26 12:00:00"},
		{"wk {1}", "01 12:00:00, 07 23:59:59", "08 00:00:00"}, // the month begins on a Sunday
		{"wk {4}", "28 12:00:00", "29 12:00:00"},
		{"yd {332}", "28 12:00:00", "27 12:00:00"},
		{"mo {Nov-Feb}", "28 12:00:00", ""},
		{"month {December-october}", "", "28 12:00:00"},
		{"yr {2026}", "28 12:00:00", ""},
		{"yr {26} mo {11}", "28 12:00:00", ""},
		{"yr {2030-2026}", "28 12:00:00", ""},
		{"yr {1970-2025}", "", "28 12:00:00"},
	} {
		p, err := Parse(c.period)
		if err != nil {
			t.Error(err)
			continue
		}
		for list, want := range map[string]bool{c.in: true, c.out: false} {
			for text := range strings.SplitSeq(list, ", ") {
				if text == "" {
					continue
				}
				at, err := time.Parse("2006-01-02 15:04:05", "2026-11-"+text)
				if err != nil {
					t.Fatal(err)
				}
				if got := p.Contains(at); got != want {
					t.Errorf("%q contains %v: %v", c.period, at, got)
				}
			}
		}
	}
}

// The first week of a month may be short, and a month can have six.
func TestWeeks(t *testing.T) {
	for day, want := range map[int]int{1: 1, 2: 2, 8: 2, 9: 3, 29: 5, 30: 6, 31: 6} { // 1 August 2026 is a Saturday
		if got := valuesAt(time.Date(2026, 8, day, 12, 0, 0, 0, time.UTC))[week]; got != want {
			t.Errorf("%d August is in week %d, want %d", day, got, want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"always":               "is not a scale with ranges",
		"not":                  "is not a scale with ranges",
		"not none":             "is not a scale with ranges",
		"wd":                   "is not a scale with ranges",
		"wd {Mon":              "is not a scale with ranges",
		"wd {}":                "wd has no range",
		"day {Mon}":            `"day" is not a scale`,
		"wd {Mon}, ":           "a comma has nothing beside it",
		"wd {8}":               `"8" is not a value of wd`,
		"wd {xy}":              `"xy" is not a value of wd`,
		"wd {m}":               `"m" is not a value of wd`,
		"hr {24}":              `"24" is not a value of hr`,
		"hr {13pm}":            `"13pm" is not a value of hr`,
		"hr {0am}":             `"0am" is not a value of hr`,
		"hr {9-}":              `"" is not a value of hr`,
		"hr {9am-10am-11am}":   `"10am-11am" is not a value of hr`,
		"hr {11noon}":          `"11noon" is not a value of hr`,
		"min {60}":             `"60" is not a value of min`,
		"md {0}":               `"0" is not a value of md`,
		"yr {1969}":            `"1969" is not a value of yr`,
		"wd {Mon-Fri} hr 9-17": "is not a scale with ranges",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("wd {Mon-Fri} hr {9am-5pm}, md {1 31}")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err == nil {
			p.Contains(time.Unix(1e9, 0))
		}
	})
}
