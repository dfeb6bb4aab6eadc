package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/integration/tools"
	"holdfast/vrrp/speaker"
)

// after is a director that has just taken over from a binary that saved its state.
func after(t *testing.T, dir string, p upgradeState) (*Director, *strings.Builder) {
	t.Helper()
	log := &strings.Builder{}
	d := newDirector(Options{Log: slog.New(slog.NewTextHandler(log, nil)), Version: "2.0", Config: &conf.Config{}})
	d.conf = d.opts.Config
	d.conf.Director.RuntimeDir = dir
	d.inherited = p
	d.journal = event.NewJournal(journalSize, p.Seq)
	d.events = event.NewBus(d.journal.Handle)
	d.routers = newRouters(d.base(), nil, d)
	d.routers.instances["v"] = &instance{conf: &conf.Instance{}}
	d.routers.conf = d.conf
	d.services = &virtualServices{}
	d.eventFile = &eventFile{base: d.base(), events: d.journal, problems: func([]status.Problem) {}}
	d.files = d.newUpgradeFiles()
	return d, log
}

func journalText(d *Director) string {
	var lines []string
	for _, e := range d.journal.Since(0) {
		lines = append(lines, fmt.Sprintf("%d %s %s %s>%s", e.Seq, e.Kind, e.Subject, e.From, e.To))
	}
	return strings.Join(lines, "\n")
}

// The new binary's journal begins with the events of the former one. If the history
// is unreadable, or is another than the saved state names, only the history is lost:
// event numbers continue, and the log says why.
func TestRestoreHistory(t *testing.T) {
	const none = "8 director  1.0>2.0"
	const late = "7 instance a MASTER>FAULT\n" + none // which the upgrade state has
	const whole = "5 instance a >BACKUP\n6 instance a BACKUP>MASTER\n" + late
	at := time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC)
	left := history{
		At: 99, Events: []event.Event{
			{Seq: 5, At: at, Kind: event.KindInstance, Subject: "a", To: "BACKUP"},
			{Seq: 6, At: at, Kind: event.KindInstance, Subject: "a", From: "BACKUP", To: "MASTER", Detail: map[string]string{"priority": "7"}},
		},
		Counts: counts{Instances: map[string]status.Counters{"v": {Transitions: 4}, "gone": {}}, Dropped: map[string]uint64{"type": 3}, UnknownVRID: 2, Repairs: 1},
	}
	p := upgradeState{At: 100, Software: "1.0", Seq: 7, History: 99, Events: []event.Event{
		{Seq: 7, At: at, Kind: event.KindInstance, Subject: "a", From: "MASTER", To: "FAULT"},
	}}
	good, err := json.Marshal(left)
	if err != nil {
		t.Fatal(err)
	}
	text := string(good)
	for _, test := range []struct {
		name, file string
		inherited  upgradeState
		want       string
		counted    bool
		complaint  string
	}{
		{"whole", text, p, whole, true, ""},
		{"of a newer binary that knows more", strings.Replace(text, "{", `{"weather":{"rain":true},`, 1), p, whole, true, ""},
		{"that knows it otherwise", strings.Replace(text, `"events":[`, `"events":["packed",`, 1), p, late, false, "cannot unmarshal"},
		{"cut off", text[:len(text)/2], p, late, false, "unexpected end of JSON"},
		{"empty", "", p, late, false, "unexpected end of JSON"},
		{"of another upgrade", strings.Replace(text, `"at_ns":99`, `"at_ns":98`, 1), p, late, false, "not what was left"},
		{"with a gap", strings.Replace(text, `"seq":6`, `"seq":4`, 1), p, none, true, "event 4 is where 6 should be"},
		{"missing", "-", p, late, false, "there is no"},
		{"not written", "-", upgradeState{At: 100, Software: "1.0", Seq: 7}, none, false, ""},
		{"old, and no upgrade", text, upgradeState{}, "", false, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if test.file != "-" {
				if err := os.WriteFile(historyPath(dir), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			d, log := after(t, dir, test.inherited)
			d.restoreHistory()
			if got := journalText(d); got != test.want {
				t.Errorf("the journal is\n%s\nwant\n%s", got, test.want)
			}
			if got := d.routers.instances["v"].before.Transitions == 4 && d.routers.before.Dropped["type"] == 3 && d.routers.before.UnknownVRID == 2 && d.services.repairs == 1; got != test.counted {
				t.Errorf("counted before: %+v, %+v, %d repairs", d.routers.instances["v"].before, d.routers.before, d.services.repairs)
			}
			if got := log.String(); (got != "") != (test.complaint != "") || !strings.Contains(got, test.complaint) {
				t.Errorf("the log says %q, want %q", got, test.complaint)
			}
			if _, err := os.Stat(historyPath(dir)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the history is there still: %v", err)
			}
		})
	}
}

// A mutePort is a speaker.Port that never receives anything.
type mutePort struct{ wake chan struct{} }

func (p mutePort) Receive(time.Time, []speaker.Packet) ([]speaker.Packet, error) {
	<-p.wake
	return nil, nil
}
func (p mutePort) Send([]speaker.Frame) []speaker.SendError { return nil }
func (p mutePort) Wake()                                    { p.wake <- struct{}{} }

// Events between the writing of the history and the exec of the new binary are in
// the journal too.
func TestUpgradeStateHasWhatCameLate(t *testing.T) {
	dir := t.TempDir()
	d, log := after(t, dir, upgradeState{Seq: 4})
	d.subsystems = []subsystem{d.routers}
	d.routers.speaker = speaker.New(speaker.Options{Port: mutePort{make(chan struct{}, 1)}, Log: d.log})
	ended := make(chan error)
	go func() { ended <- d.routers.speaker.Run() }()
	post := func(subject string) {
		d.mail.post(func() { d.publish(event.Event{Kind: event.KindInstance, Subject: subject, To: "MASTER"}) })
	}
	post("early")
	d.readMail()
	at, seq, err := d.files.writeHistory()
	if err != nil {
		t.Fatal(err)
	}
	post("late")
	if err := d.files.writeState(at, seq); err != nil {
		t.Fatal(err)
	}
	d.routers.speaker.Quit()
	if err := <-ended; err != nil {
		t.Error(err)
	}

	p, err := readUpgradeState(dir)
	if err != nil {
		t.Fatal(err)
	}
	p.Software = "1.0"
	young, complaints := after(t, dir, p)
	young.restoreHistory()
	want := "5 instance early >MASTER\n6 instance late >MASTER\n7 director  1.0>2.0"
	if got := journalText(young); got != want {
		t.Errorf("the journal is\n%s\nwant\n%s\n%s%s", got, want, log, complaints)
	}
}

// A runtime directory that others can write, or own, is refused.
func TestRuntimeDirIsOurs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	f, err := lockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	try := func(what, want string) {
		t.Helper()
		f, err := lockDir(dir)
		if err == nil {
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	for _, mode := range []os.FileMode{0o775, 0o757, 0o777} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		try(mode.String(), "can be written by others than its owner")
	}
	tools.Root(t, "give files away")
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, 65534, 0)); err != nil {
		t.Fatal(err)
	}
	try("of nobody", "belongs to user 65534")
}
