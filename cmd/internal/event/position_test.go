package event

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const (
	startA = "aaaaaaaaaaaa"
	startB = "bbbbbbbbbbbb"
)

// kinds returns events as "seq kind" words.
func kinds(events []Event) string {
	var words []string
	for _, e := range events {
		words = append(words, fmt.Sprint(e.Seq), e.Kind)
	}
	return strings.Join(words, " ")
}

func TestParsePosition(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]Position{
		"0": {}, "17": {Seq: 17}, startA + ":17": {Start: startA, Seq: 17}, "2026-03-01T12:00:00Z": {Time: at},
	} {
		got, err := ParsePosition(text)
		if err != nil || got != want {
			t.Errorf("%s is %+v, %v; want %+v", text, got, err, want)
		}
		if again := got.String(); again != text {
			t.Errorf("%s is written as %s", text, again)
		}
	}
	for _, text := range []string{"", "-1", "17:", startA + ":", startA + ":x", "a:17", "yesterday", "2026-03-01"} {
		if got, err := ParsePosition(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

// A crash lost what the first daemon had not written: its events 6 and 7 are gone, and
// the second daemon's are called so again. Whoever saw all of them misses nothing of
// the second.
func TestCursorsOverACrash(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	starts := []Start{{ID: startA}, {ID: startB, After: 5}}
	journal := NewJournal(16, 5)
	journal.SetStarts(starts)
	var before []Event
	for seq := range uint64(5) {
		before = append(before, Event{Seq: seq + 1, Kind: KindConfig, At: at.Add(time.Duration(seq) * time.Minute)})
	}
	if err := journal.Prepend(before); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		journal.Append(Event{Kind: KindConfig, At: at.Add(time.Hour + time.Duration(i)*time.Minute)})
	}
	for name, test := range map[string]struct {
		from Position
		want string
	}{
		"a number":            {Position{Seq: 6}, "7 config 8 config"},
		"written before":      {Position{Start: startA, Seq: 4}, "5 config 6 config 7 config 8 config"},
		"the last written":    {Position{Start: startA, Seq: 5}, "6 config 7 config 8 config"},
		"lost in the crash":   {Position{Start: startA, Seq: 7}, "6 config 7 config 8 config"},
		"of the second":       {Position{Start: startB, Seq: 7}, "8 config"},
		"the newest":          {Position{Start: startB, Seq: 8}, ""},
		"of another journal":  {Position{Start: "cccccccccccc", Seq: 7}, "0 lost 1 config 2 config 3 config 4 config 5 config 6 config 7 config 8 config"},
		"a time between":      {Position{Time: at.Add(30 * time.Minute)}, "6 config 7 config 8 config"},
		"the time of one":     {Position{Time: at.Add(4 * time.Minute)}, "5 config 6 config 7 config 8 config"},
		"a time to come":      {Position{Time: at.Add(24 * time.Hour)}, ""},
		"before everything":   {Position{Time: at.Add(-time.Hour)}, "1 config 2 config 3 config 4 config 5 config 6 config 7 config 8 config"},
		"from the very first": {Position{}, "1 config 2 config 3 config 4 config 5 config 6 config 7 config 8 config"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := kinds(journal.Since(journal.Find(test.from))); got != test.want {
				t.Errorf("the daemon tells %q, want %q", got, test.want)
			}
			if got := kinds(After(journal.Since(0), starts, test.from)); got != test.want {
				t.Errorf("the file tells %q, want %q", got, test.want)
			}
		})
	}
	for seq, want := range map[uint64]string{1: startA + ":1", 5: startA + ":5", 6: startB + ":6"} {
		if got := Cursor(starts, seq); got != want {
			t.Errorf("the cursor of %d is %s, want %s", seq, got, want)
		}
	}
}
