package alert

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// maxLines is how many subjects the text and the event of a notice name.
const maxLines = 100

// A Notice is one message of a rule.
type Notice struct {
	Rule string
	At   time.Time
	Down []Entry // that fail, sorted by kind and subject
	Up   []Entry // that have recovered
	// Call is why it is made; "": something fails or has recovered. With another value
	// Down and Up have what the program is told of.
	Call Call
	Ack  Ack // of Down, with CallAck
}

// An Entry is one subject of a notice.
type Entry struct {
	Kind     string
	Subject  string
	Reason   string // of the failure
	Since    time.Time
	Failures int // failed checks since then
	Notices  int // of this failure, with this one
	// Told is what the monitor of a service said; nil without PaceCheck.
	Told *event.Run
}

func (p *problem) entry() Entry {
	return Entry{p.Kind, p.Name, p.reason, p.since, p.failures, p.notices, p.told}
}

func sortEntries(all []Entry) { slices.SortFunc(all, compareEntries) }

func compareEntries(a, b Entry) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Subject, b.Subject))
}

// Event returns the notice as an event.
func (n *Notice) Event() event.Event {
	to := event.Down
	if len(n.Down) == 0 {
		to = event.Up
	}
	return event.Event{
		At: n.At, Kind: event.KindAlert, Subject: n.Rule, To: to, Reason: n.Summary(),
		Alert: &event.Alert{
			Down: eventEntries(n.Down), DownTotal: len(n.Down), Up: eventEntries(n.Up), UpTotal: len(n.Up), Text: n.Text(),
			Call: string(n.Call), By: n.Ack.By, Comment: n.Ack.Comment,
		},
		NotJournaled: n.Call != "",
	}
}

func eventEntries(all []Entry) []event.AlertEntry {
	var list []event.AlertEntry
	for _, e := range all[:min(len(all), maxLines)] {
		list = append(list, event.AlertEntry{
			Kind: e.Kind, Subject: e.Subject, Reason: e.Reason, Since: e.Since, Failures: e.Failures, Notices: e.Notices, Run: e.Told,
		})
	}
	return list
}

// Summary returns the notice in one line: "web/192.168.0.11:80 is DOWN: connect:
// connection refused", or "500 servers and 2 services are DOWN: mail 200, web 302".
func (n *Notice) Summary() string {
	var parts []string
	switch n.Call {
	case CallStartup:
		return "the daemon has started"
	case CallAck:
		text := fmt.Sprintf("%s takes care of %s", n.Ack.By, strings.Join(subjects(n.Down), ", "))
		if n.Ack.Comment != "" {
			text += ": " + n.Ack.Comment
		}
		return text
	}
	if len(n.Down) > 0 {
		parts = append(parts, summary(n.Down, event.Down))
	}
	if len(n.Up) > 0 {
		parts = append(parts, summary(n.Up, "well again"))
	}
	return strings.Join(parts, "; ")
}

func summary(all []Entry, state string) string {
	if len(all) == 1 {
		text := all[0].Subject + " is " + state
		if state == event.Down && all[0].Reason != "" {
			text += ": " + all[0].Reason
		}
		return text
	}
	kinds, services := map[string]int{}, map[string]int{}
	for _, e := range all {
		kinds[e.Kind]++
		if service, _, isServer := strings.Cut(e.Subject, "/"); isServer && e.Kind == event.KindServer {
			services[service]++
		}
	}
	var counts []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		counts = append(counts, count(kinds[kind], kind))
	}
	text := strings.Join(counts, " and ") + " are " + state
	if len(services) == 0 || len(services) > 10 {
		return text
	}
	var where []string
	for _, service := range slices.Sorted(maps.Keys(services)) {
		where = append(where, fmt.Sprintf("%s %d", service, services[service]))
	}
	return text + ": " + strings.Join(where, ", ")
}

func subjects(all []Entry) []string {
	var names []string
	for _, e := range all[:min(len(all), 10)] {
		names = append(names, e.Subject)
	}
	return names
}

// count returns "1 server" or "2 servers".
func count(n int, kind string) string {
	if n == 1 {
		return "1 " + kind
	}
	return fmt.Sprintf("%d %ss", n, kind)
}

// Text returns the notice with a line for each subject, at most maxLines.
func (n *Notice) Text() string {
	var b strings.Builder
	left := maxLines
	lines := func(all []Entry, state string) {
		for i, e := range all {
			if left == 0 {
				fmt.Fprintf(&b, "and %d more\n", len(all)-i)
				return
			}
			left--
			fmt.Fprintf(&b, "%s %s is %s", e.Kind, e.Subject, state)
			if e.Reason != "" && state == event.Down {
				b.WriteString(": " + e.Reason)
			}
			fmt.Fprintf(&b, " (since %s", e.Since.Format(time.RFC3339))
			if e.Failures > 1 {
				fmt.Fprintf(&b, ", %d failures", e.Failures)
			}
			if e.Notices > 1 {
				fmt.Fprintf(&b, ", alert %d", e.Notices)
			}
			b.WriteString(")\n")
		}
	}
	lines(n.Down, event.Down)
	lines(n.Up, "well again")
	return b.String()
}
