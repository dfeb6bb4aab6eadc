package notify

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

// twoServices is an alert about servers of two services, one of which is well again.
func twoServices() event.Event {
	at := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	return event.Event{
		At: at, Kind: event.KindAlert, Subject: "ops", To: event.Down, Reason: "2 servers are DOWN: web 2; mail/c is well again",
		Alert: &event.Alert{
			Down: []event.AlertEntry{
				{Kind: "server", Subject: "web/a", Reason: "refused", Since: at.Add(-time.Minute)},
				{Kind: "server", Subject: "web/b", Reason: "timeout", Since: at},
			},
			DownTotal: 2,
			Up:        []event.AlertEntry{{Kind: "server", Subject: "mail/c", Since: at}},
			UpTotal:   1,
			Text:      "server web/a is DOWN: refused\nserver web/b is DOWN: timeout\nserver mail/c is well again\n",
		},
	}
}

// recorded runs the program of an alert, a script that appends what it gets to a file.
func recorded(t *testing.T, o AlertProgramOptions, e event.Event) string {
	t.Helper()
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	c := script(t, dir, "page", `{ echo "$@"; env | grep -E '^(MON|HOLDFAST)_' | sort | head -3; cat; echo --; } >>`+out)
	o.Program, o.Log = c.Program, slog.New(slog.DiscardHandler)
	o.Program.Argv = append(o.Program.Argv, "own")
	if n, err := NewAlertProgram(o).Deliver(t.Context(), []event.Event{e}); n != 1 || err != nil {
		t.Fatalf("Deliver: %d, %v", n, err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAlertProgram(t *testing.T) {
	got := recorded(t, AlertProgramOptions{Director: "lvs1"}, twoServices())
	want := `own ALERT ops DOWN 2
HOLDFAST_ALERT=ops
HOLDFAST_DIRECTOR=lvs1
HOLDFAST_DOWN=2
` + twoServices().Alert.Text + "--\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// mon calls an alert for each service, with the failed hosts.
func TestAlertAsMon(t *testing.T) {
	got := recorded(t, AlertProgramOptions{Mon: true}, twoServices())
	want := `-s server -g web -h a b -t 1772452800 own
HOLDFAST_DIRECTOR=
MON_ALERTTYPE=failure
MON_FIRST_FAILURE=1772452740
a b
a: refused
b: timeout
--
-s server -g mail -h c -t 1772452800 -u own
HOLDFAST_DIRECTOR=
MON_ALERTTYPE=up
MON_FIRST_FAILURE=1772452800
c
c: ` + "\n--\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// An acknowledgement has the name of the person and the comment, for a program of each
// style.
func TestAlertAcknowledged(t *testing.T) {
	e := twoServices()
	e.Alert.Call, e.Alert.By, e.Alert.Comment, e.Alert.Up = callAck, "ann", "a new disk", nil
	for _, c := range []struct {
		mon        bool
		arg        string
		env, stdin string
	}{
		{false, "ACK", "HOLDFAST_ACK_BY=ann HOLDFAST_ACK_COMMENT=a new disk", e.Alert.Text},
		{true, "-a", "MON_ACK=ann: a new disk", "ann: a new disk"},
	} {
		p := NewAlertProgram(AlertProgramOptions{Mon: c.mon})
		calls := p.calls(&e)
		if len(calls) == 0 {
			t.Fatal("no call")
		}
		if got := calls[0]; !slices.Contains(got.args, c.arg) || !strings.Contains(strings.Join(got.env, " "), c.env) || got.stdin != c.stdin {
			t.Errorf("mon %v: %q, %q, %q", c.mon, got.args, got.env, got.stdin)
		}
	}
}

// A program that fails or hangs is not called again for the same alert.
func TestAlertProgramFails(t *testing.T) {
	for name, body := range map[string]string{"fails": "exit 3", "hangs": "sleep 60"} {
		c := script(t, t.TempDir(), "page", body)
		p := NewAlertProgram(AlertProgramOptions{Program: c.Program, Timeout: 200 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
		_, err := p.Deliver(t.Context(), []event.Event{twoServices()})
		refused, ok := errors.AsType[*Refused](err)
		if !ok || !strings.Contains(refused.Error(), c.Argv[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := NewAlertProgram(AlertProgramOptions{Log: slog.New(slog.DiscardHandler)})
	p.o.Program.Argv = []string{filepath.Join(t.TempDir(), "absent")}
	if _, err := p.Deliver(context.Background(), []event.Event{twoServices()}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("absent: %v", err)
	}
}

// A mail of an alert has its lines, and its summary as the subject.
func TestAlertMail(t *testing.T) {
	m := NewMail(MailOptions{Director: "lvs1", From: "a@example.org", To: []string{"b@example.org"}})
	lines := strings.Split(string(m.compose(t.Context(), []event.Event{twoServices()})), "\r\n")
	for _, want := range []string{"Subject: lvs1: alert ops: 2 servers are DOWN: web 2; mail/c is well again", "    server web/b is DOWN: timeout"} {
		if !slices.Contains(lines, want) {
			t.Errorf("no line %q in\n%s", want, strings.Join(lines, "\n"))
		}
	}
}

// For a run of a monitor an alert is called as mon 1.3.6 calls it, and a recovery may
// have a program of its own.
func TestAlertOfMonRun(t *testing.T) {
	at := time.Unix(1772452800, 0)
	before := "www1\nslow\n"
	run := &event.Run{
		Hosts: []string{"www1", "www2"}, Environment: []string{"MON_DESCRIPTION=x", "MON_LOGDIR=/l"}, Status: 2, Output: "www2\nrefused\n", Summary: "www2",
		Before: &before, FirstFailure: at.Add(-time.Minute), LastFailure: at,
	}
	entry := event.AlertEntry{Kind: event.KindService, Subject: "web:http", Run: run}
	down := monRunCall(&entry, at, false)
	if got, want := strings.Join(down.args, "|"), "-s|http|-g|web|-h|www1 www2|-t|1772452800"; got != want {
		t.Errorf("arguments %s, want %s", got, want)
	}
	for _, want := range []string{
		"MON_LAST_SUMMARY=www2", "MON_LAST_OUTPUT=" + before, "MON_LAST_FAILURE=1772452800", "MON_FIRST_FAILURE=1772452740", "MON_LAST_SUCCESS=0",
		"MON_RETVAL=2", "MON_OPSTATUS=0", "MON_ALERTTYPE=failure", "MON_DESCRIPTION=x", "MON_GROUP=web", "MON_SERVICE=http",
	} {
		if !slices.Contains(down.env, want) {
			t.Errorf("no %s in %q", want, down.env)
		}
	}
	if slices.Index(down.env, "MON_LOGDIR=/l") < slices.Index(down.env, "MON_LOGDIR=/var/log/mon") {
		t.Errorf("what is configured comes first: %q", down.env)
	}
	p := NewAlertProgram(AlertProgramOptions{
		Program: program.Program{Argv: []string{"/a", "x"}}, Recovery: program.Program{Argv: []string{"/b", "y"}}, Mon: true, RecoveryTimeout: time.Second,
	})
	up := monRunCall(&entry, at, true)
	got, timeout := p.program(&up)
	if text := strings.Join(got.Argv, "|"); text != "/b|-s|http|-g|web|-h|www1 www2|-t|1772452800|-u|y" || timeout != time.Second {
		t.Errorf("recovery: %s within %v", text, timeout)
	}
	if got, _ := p.program(&down); got.Argv[0] != "/a" {
		t.Errorf("failure: %q", got.Argv)
	}
	if !slices.Contains(up.env, "MON_OPSTATUS=1") || !slices.Contains(up.env, "MON_RETVAL=0") || !slices.Contains(up.env, "MON_ALERTTYPE=up") || up.stdin != run.Output {
		t.Errorf("recovery: %q, %q", up.env, up.stdin)
	}
}
