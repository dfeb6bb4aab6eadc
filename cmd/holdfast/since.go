package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// parseSince reads a place in the journal as people write it: what
// event.ParsePosition reads, a time of this place, or how long ago.
func parseSince(text string, now time.Time) (event.Position, error) {
	if text == "" {
		return event.Position{}, nil
	}
	if at, err := event.ParsePosition(text); err == nil {
		return at, nil
	}
	if ago, ok := parseAgo(text); ok {
		return event.Position{Time: now.Add(-ago)}, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return event.Position{Time: at}, nil
		}
	}
	for _, layout := range []string{time.TimeOnly, "15:04"} {
		if clock, err := time.Parse(layout, text); err == nil {
			year, month, day := now.Date()
			return event.Position{Time: time.Date(year, month, day, clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())}, nil
		}
	}
	return event.Position{}, fmt.Errorf(`--since: %q is not a time ("2026-03-01 12:00", "12:00"), a duration ("2h"), a cursor or the number of an event`, text)
}

// parseAgo reads a duration, which may be in days.
func parseAgo(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err == nil
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d >= 0
}
