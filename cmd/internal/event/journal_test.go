package event

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// describe returns events as "seq kind" words.
func describe(events []Event) string {
	var words []string
	for _, e := range events {
		word := fmt.Sprintf("%d %s", e.Seq, e.Kind)
		if e.Kind == KindLost {
			word += " (" + e.Reason + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

func TestSince(t *testing.T) {
	tests := []struct {
		name     string
		appended int // to a journal of 3
		since    uint64
		want     string
	}{
		{"empty", 0, 0, ""},
		{"empty, from before a restart", 0, 7, ""},
		{"all", 2, 0, "1 server, 2 server"},
		{"some", 3, 1, "2 server, 3 server"},
		{"none", 3, 3, ""},
		{"all that is left", 5, 0, "3 server, 4 server, 5 server"},
		{"just not too late", 5, 2, "3 server, 4 server, 5 server"},
		{"one too late", 5, 1, "2 lost (1 events were overwritten), 3 server, 4 server, 5 server"},
		{"far too late", 100, 1, "97 lost (96 events were overwritten), 98 server, 99 server, 100 server"},
		{"from before a restart", 2, 7, "0 lost (the journal begins anew: it has not come to 7), 1 server, 2 server"},
		{"from before a restart, too late", 5, 7, "2 lost (the journal begins anew: it has not come to 7), 3 server, 4 server, 5 server"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := NewJournal(3, 0)
			for i := range test.appended {
				if seq := l.Append(Event{Kind: KindServer}); seq != uint64(i+1) {
					t.Fatalf("Append gave %d, want %d", seq, i+1)
				}
			}
			if got := describe(l.Since(test.since)); got != test.want {
				t.Errorf("since %d: %s, want %s", test.since, got, test.want)
			}
		})
	}
}

// Events of a former process come before those of this one and keep their numbers.
func TestPrepend(t *testing.T) {
	tests := []struct {
		name     string
		kept     []uint64 // by a process whose newest was 5
		appended int      // to a journal of 3, before these are put in front
		since    uint64
		want     string
		err      string
	}{
		{"all", []uint64{4, 5}, 0, 0, "4 server, 5 server", ""},
		{"with what came since", []uint64{4, 5}, 1, 0, "4 server, 5 server, 6 group", ""},
		{"followed on", []uint64{4, 5}, 1, 5, "6 group", ""},
		{"followed on, one behind", []uint64{4, 5}, 1, 4, "5 server, 6 group", ""},
		{"more than there is room for", []uint64{2, 3, 4, 5}, 1, 0, "4 server, 5 server, 6 group", ""},
		{"more than there is room for, far behind", []uint64{2, 3, 4, 5}, 1, 1, "3 lost (2 events were overwritten), 4 server, 5 server, 6 group", ""},
		{"no room", []uint64{4, 5}, 4, 5, "6 lost (1 events were overwritten), 7 group, 8 group, 9 group", ""},
		{"lost", nil, 1, 3, "5 lost (2 events were lost in an upgrade), 6 group", ""},
		{"lost, all", nil, 1, 0, "6 group", ""},
		{"nothing yet", nil, 0, 3, "", ""},
		{"a gap", []uint64{2, 3, 5}, 1, 0, "6 group", "event 2 is where 3 should be"},
		{"too far", []uint64{5, 6}, 1, 0, "6 group", "event 5 is where 4 should be"},
		{"from before the first", []uint64{0, 1, 2, 3, 4, 5}, 1, 0, "6 group", "event 0 is where 0 should be"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := NewJournal(3, 5)
			for range test.appended {
				l.Append(Event{Kind: KindGroup})
			}
			var kept []Event
			for _, seq := range test.kept {
				kept = append(kept, Event{Seq: seq, Kind: KindServer})
			}
			err := l.Prepend(kept)
			if got := fmt.Sprint(err); got != test.err && (err != nil || test.err != "") {
				t.Errorf("Prepend gave %v, want %s", err, test.err)
			}
			if got := describe(l.Since(test.since)); got != test.want {
				t.Errorf("since %d: %s, want %s", test.since, got, test.want)
			}
			if got, want := l.Last(), uint64(5+test.appended); got != want {
				t.Errorf("the newest is %d, want %d", got, want)
			}
		})
	}
}

func TestFollowWaitsAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewJournal(3, 0)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan string)
		go func() {
			for seq := uint64(0); ; {
				events := l.Follow(ctx, seq, 100)
				if events == nil {
					close(got)
					return
				}
				seq = events[len(events)-1].Seq
				got <- describe(events)
			}
		}()
		synctest.Wait()
		l.Append(Event{Kind: KindServer})
		if s := <-got; s != "1 server" {
			t.Errorf("first: %s", s)
		}
		synctest.Wait()
		l.Append(Event{Kind: KindGroup})
		synctest.Wait() // the follower holds 2 and is slow from here on
		for range 4 {
			l.Append(Event{Kind: KindServer})
		}
		if s := <-got; s != "2 group" {
			t.Errorf("second: %s", s)
		}
		if s := <-got; s != "3 lost (1 events were overwritten), 4 server, 5 server, 6 server" {
			t.Errorf("third: %s", s)
		}
		cancel()
		if s, ok := <-got; ok {
			t.Errorf("after the end: %s", s)
		}
	})
}

// Every follower sees every event once and in order while others append.
func TestFollowersMissNothing(t *testing.T) {
	const writers, each = 4, 250
	l := NewJournal(writers*each, 0)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			want := uint64(1)
			for want <= writers*each {
				for _, e := range l.Follow(t.Context(), want-1, 2) {
					if e.Seq != want || e.Kind == KindLost {
						t.Errorf("event %d %s, want %d", e.Seq, e.Kind, want)
						return
					}
					want++
				}
			}
		})
	}
	for range writers {
		all.Go(func() {
			for range each {
				l.Append(Event{Kind: KindServer})
			}
		})
	}
	all.Wait()
}

func TestEventString(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600))
	tests := []struct {
		event Event
		want  string
	}{
		{Event{At: at, Kind: KindInstance, Subject: "outside", From: "BACKUP", To: "MASTER", Reason: "no advert heard", Detail: map[string]string{"priority": "150", "master": "10.0.0.3"}},
			"2026-03-01T12:00:00.123+01:00 instance outside BACKUP -> MASTER: no advert heard (master=10.0.0.3 priority=150)"},
		{Event{At: at.UTC(), Kind: KindServer, Subject: "web/rs1", To: "UP"}, "2026-03-01T11:00:00.123Z server web/rs1 UP"},
		{Event{At: at.UTC(), Kind: KindConfig, To: "refused", Reason: "a:1: x\na:2: y"}, "2026-03-01T11:00:00.123Z config refused: a:1: x; a:2: y"},
		{Event{At: at.UTC(), Kind: KindLost, Reason: "4 events were overwritten"}, "2026-03-01T11:00:00.123Z lost: 4 events were overwritten"},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, test.event.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
