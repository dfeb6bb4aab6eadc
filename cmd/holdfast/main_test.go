package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// wellStatus is that of a BACKUP on which all is well.
func wellStatus() *status.Status {
	return &status.Status{
		Director: "lvs2", Software: "1.2.3", PID: 812, Started: noon.Add(-time.Hour), Now: noon, Realtime: true,
		Config: status.Config{Path: "/etc/holdfast/holdfast.toml", LoadedAt: noon.Add(-time.Hour)},
		VRRP: []status.Instance{{
			Name: "outside", Interface: "eth0", Device: "vrrp4-51", Family: "ipv4", VRID: 51, Protocol: 3, State: "BACKUP", Since: noon.Add(-time.Minute),
			Priority: 100, EffectivePriority: 100, IntervalMS: 100, Addresses: []string{"10.0.0.100/24"}, Master: &status.Peer{Address: "10.0.0.2", Priority: 150},
		}},
		LVS: &status.LVS{Services: []lvs.ServiceStatus{{
			Name: "web", Service: "tcp 10.0.0.100:80", Scheduler: "wlc", Active: "always", Wanted: true, Present: true, ServersUp: 1, ServersTotal: 1,
			Servers: []lvs.ServerStatus{{Name: "rs1", Address: "192.168.0.11:80", Forward: "nat", Health: "up", Configured: 5, Weight: 5, Present: true}},
		}}},
	}
}

type fakeDaemon struct {
	status *status.Status
	err    error
	empty  bool
	fails  string // why an upgrade that is begun does not come to an end
	events *event.Journal
	order  control.ServerOrder // the last
	active uint32              // connections of every server
}

func (f *fakeDaemon) Status(context.Context) (*status.Status, error) { return f.status, f.err }

func (f *fakeDaemon) States(context.Context) ([]event.Event, uint64, error) {
	return []event.Event{{
		At: noon, Kind: event.KindInstance, Subject: "outside", To: "MASTER", Reason: "the state", Snapshot: true,
	}}, f.events.Last(), f.err
}

func (f *fakeDaemon) Plan(context.Context) (*control.Plan, error) {
	p := &control.Plan{Version: 1, Path: "/etc/holdfast/holdfast.toml", Steps: []control.Step{
		{Area: "holdfast", Change: control.Changed, Text: "change vrrp outside, priority 100 to 150"},
		{Area: "holdfast", Change: control.Removed, Text: "stop vrrp inside"},
		{Area: "lvs", Change: control.Added, Text: "ipvsadm -A -t 10.0.0.100:80 -s wlc"},
	}}
	if f.empty {
		p.Steps = nil
	}
	return p, f.err
}

func (f *fakeDaemon) Handover(_ context.Context, name string) (*control.HandedOver, error) {
	if name == "" {
		name = "director"
	}
	return &control.HandedOver{Units: []control.HandedOverUnit{{Name: name, To: "10.0.0.2", TookMS: 61.4}}}, f.err
}

func (f *fakeDaemon) Order(ctx context.Context, o control.ServerOrder) (*control.Servers, error) {
	f.order = o
	done, err := f.Servers(ctx, o.Service, o.Server)
	if o.Verb == control.Drain {
		done.Notes = []string{"persistent clients go on using the server"}
	}
	return done, err
}

// Servers returns one server, with a connection less each time.
func (f *fakeDaemon) Servers(_ context.Context, service, server string) (*control.Servers, error) {
	s := lvs.ServerStatus{Name: server, Health: "up", Configured: 5, Active: f.active}
	if f.order.Verb == control.Drain {
		s.Override = &lvs.Override{Drained: &lvs.Order{By: "root", Until: noon.Add(f.order.For)}}
	}
	f.active -= min(f.active, 1)
	return &control.Servers{At: noon, Servers: []status.Server{{Service: service, ServerStatus: s}}}, f.err
}

func (f *fakeDaemon) Upgrade(context.Context) (*control.Upgrading, error) {
	if f.fails != "" {
		f.events.Append(event.Event{Kind: event.KindDirector, Reason: f.fails})
	}
	return &control.Upgrading{Path: "/usr/local/sbin/holdfast", PID: 42}, f.err
}

func (f *fakeDaemon) Reload(context.Context) (*control.Reloaded, error) {
	if f.empty {
		return &control.Reloaded{At: noon}, f.err
	}
	return &control.Reloaded{At: noon, Changes: []string{"vrrp outside: priority 100 -> 150", "service web: added"}}, f.err
}

func (f *fakeDaemon) Ack(_ context.Context, pattern, _, comment string) (*control.Acked, error) {
	return &control.Acked{Subjects: []string{pattern}}, f.err
}

// daemonAt serves the fake on a socket in dir and returns its journal.
func daemonAt(t *testing.T, socket string, fake *fakeDaemon) *event.Journal {
	t.Helper()
	events := event.NewJournal(10, 0)
	fake.events = events
	api := control.NewAPI(control.Options{
		Backend: fake, Events: events, Log: slog.New(slog.DiscardHandler),
		Version: control.VersionInfo{Software: "1.2.3", Go: "go1.26.0", PID: 812, Started: noon},
	})
	t.Cleanup(api.Close)
	server := api.NewServer(control.SocketDoor(control.OnlyRoot))
	l, err := control.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(server.Close(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
	events.Append(event.Event{At: noon, Kind: event.KindInstance, Subject: "outside", From: "BACKUP", To: "MASTER", Reason: "no advert heard for 310ms", Detail: map[string]string{"priority": "150"}})
	events.Append(event.Event{At: noon.Add(time.Second), Kind: event.KindServer, Subject: "web/rs1", From: "UP", To: "DOWN", Reason: "connect: connection refused"})
	return events
}

const validConfig = `
[director]
name = "lvs1"
runtime_dir = %q
[[vrrp]]
name = "outside"
interface = "lo"
vrid = 51
addresses = ["10.0.0.100/24"]
`

// call runs a command line in which words stand for the files in dir.
func call(t *testing.T, dir, line string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	args := strings.Fields(strings.ReplaceAll(line, "@", dir+"/"))
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs)
	return code, strings.ReplaceAll(out.String(), dir, "DIR"), strings.ReplaceAll(errs.String(), dir, "DIR")
}

func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"valid.toml": fmt.Sprintf(validConfig, dir+"/well"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	unwell := wellStatus()
	unwell.VRRP[0].State, unwell.VRRP[0].Reasons = "FAULT", []status.Reason{{Key: "link", Text: "eth0 has no carrier", Since: noon}}
	daemonAt(t, dir+"/well/control.sock", &fakeDaemon{status: wellStatus(), active: 2})
	daemonAt(t, dir+"/unwell.sock", &fakeDaemon{status: unwell, empty: true, active: 1000})
	daemonAt(t, dir+"/fleeting.sock", &fakeDaemon{fails: "the upgrade failed: run /usr/local/sbin/holdfast: no such file or directory"})
	daemonAt(t, dir+"/failing.sock", &fakeDaemon{err: errors.New("valid.toml:7: vrrp.outside.vrid: must be 1 to 255\nvalid.toml:9: x")})
	const gone = " --socket @gone.sock"

	tests := []struct {
		line string
		code int
	}{
		{"", exitUsage},
		{"--help", exitWell},
		{"bogus", exitUsage},
		{"statsu", exitUsage},
		{"help bogus", exitUsage},
		{"help config bogus", exitUsage},
		{"help reload", exitWell},
		{"ack", exitUsage},
		{"convert", exitUsage},
		{"status --bogus", exitUsage},
		{"status bogus", exitUsage},
		{"status vrrp lvs", exitUsage},
		{"status --json --watch", exitUsage},
		{"events --since yesterday", exitUsage},
		{"reload now", exitUsage},
		{"config", exitUsage},
		{"config bogus", exitUsage},
		{"run --log-level loud --log-format xml", exitUsage},
		{"check -c @valid.toml", exitWell},
		{"status -c @valid.toml", exitWell},
		{"status vrrp --socket @well/control.sock", exitWell},
		{"status --socket @unwell.sock", exitFault},
		{"status --socket @failing.sock", exitFault},
		{"status --color red -c @valid.toml", exitUsage},
		{"status" + gone, exitFault},
		{"events -c @valid.toml", exitWell},
		{"events --json --since 1 -c @valid.toml", exitWell},
		{"events --state --json -c @valid.toml", exitWell},
		{"events --state --since 1 -c @valid.toml", exitUsage},
		{"events" + gone, exitFault},
		{"reload -c @valid.toml", exitWell},
		{"reload --socket @unwell.sock", exitWell},
		{"reload --socket @failing.sock", exitFault},
		{"reload" + gone, exitFault},
		{"handover -c @valid.toml", exitWell},
		{"handover inside -c @valid.toml", exitWell},
		{"handover a b", exitUsage},
		{"handover --socket @failing.sock", exitFault},
		{"handover" + gone, exitFault},
		{"drain web -c @valid.toml", exitUsage},
		{"drain web 192.168.0.12:80 --for 5m -c @valid.toml", exitWell},
		{"drain web 192.168.0.12:80 --wait -c @valid.toml", exitWell},
		{"drain web 192.168.0.12:80 --wait --timeout 1ms --json --socket @unwell.sock", exitFault},
		{"drain web rs9 --socket @failing.sock", exitFault},
		{"drain web rs1" + gone, exitFault},
		{"enable all rs1 -c @valid.toml", exitWell},
		{"weight web rs1 -c @valid.toml", exitUsage},
		{"weight web rs1 many -c @valid.toml", exitUsage},
		{"weight web rs1 -15 -c @valid.toml", exitUsage},
		{"weight web rs1 3 -1s -c @valid.toml", exitUsage},
		{"weight web rs1 3 --for -1s -c @valid.toml", exitUsage},
		{"weight web rs1 3 -c @valid.toml", exitWell},
		{"upgrade now", exitUsage},
		{"upgrade --socket @failing.sock", exitFault},
		{"upgrade --socket @fleeting.sock", exitFault},
		{"upgrade" + gone, exitFault},
		{"release -c @nowhere.toml", exitFault},
		{"doctor now", exitUsage},
		{"doctor -c @nowhere.toml", exitFault},
		{"doctor --json -c @nowhere.toml", exitFault},
		{"plan -c @valid.toml", exitChanges},
		{"plan --color always -c @valid.toml", exitChanges},
		{"plan --color red -c @valid.toml", exitUsage},
		{"plan --json -c @valid.toml", exitChanges},
		{"plan --socket @unwell.sock", exitWell},
		{"plan --socket @failing.sock", exitFault},
		{"plan -c @valid.toml" + gone, exitChanges},
	}
	var all strings.Builder
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			code, stdout, stderr := call(t, dir, test.line)
			if code != test.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, test.code, stdout, stderr)
			}
			fmt.Fprintf(&all, "$ holdfast %s\n%s", test.line, stdout)
			for line := range strings.Lines(stderr) {
				all.WriteString("! " + line)
			}
			fmt.Fprintf(&all, "-- %d\n\n", code)
		})
	}
	golden(t, "commands.txt", all.String())
}

// Whatever needs the configuration says all that is wrong with it.
func TestInvalidConfiguration(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "invalid.toml")
	if err := os.WriteFile(path, []byte("[[vrrp]]\nname = \"outside\"\nvrid = 300\ncolour = \"red\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "config show", "run"} {
		for _, file := range []string{"invalid.toml", "missing.toml"} {
			_, err := conf.Load(filepath.Join(dir, file))
			if err == nil {
				t.Fatalf("%s is valid", file)
			}
			want := strings.ReplaceAll(err.Error(), dir, "DIR") + "\n"
			code, stdout, stderr := call(t, dir, command+" -c @"+file)
			if code != exitFault || stdout != "" || stderr != want {
				t.Errorf("%s of %s: %d %q\n%swant\n%s", command, file, code, stdout, stderr, want)
			}
		}
	}
	const usual = "/run/holdfast/control.sock"
	// The daemon is still found where the file says, as far as that can be read.
	for name, c := range map[string]struct{ content, want string }{
		"mistake":       {"[director]\nruntime_dir = \"/run/hf\"\n[[vrrp]]\nvrid = 300\n", "/run/hf/control.sock"},
		"nothing":       {"[[vrrp]]\nvrid = 300\n", usual},
		"wrong itself":  {"[director]\nruntime_dir = \"hf\"\n", usual},
		"of wrong type": {"[director]\nruntime_dir = 3\n", usual},
		"no table":      {"director = 3\n", usual},
		"no TOML":       {"[director\nruntime_dir = \"/run/hf\"\n", usual},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := (&flags{config: file}).socketPath(); got != c.want {
			t.Errorf("%s: socket %s, want %s", name, got, c.want)
		}
	}
}

func TestStatusJSON(t *testing.T) {
	dir := t.TempDir()
	daemonAt(t, dir+"/s", &fakeDaemon{status: wellStatus()})
	for section, want := range map[string]string{
		"":       "checks config director dropped groups lvs notify now pid problems realtime repairs software started trackers unknown_vrid upgrades version vrrp",
		"vrrp":   "groups trackers version vrrp",
		"lvs":    "lvs version",
		"checks": "checks version",
	} {
		code, stdout, stderr := call(t, dir, "status --json --socket @s "+section)
		var fields map[string]any
		if err := json.Unmarshal([]byte(stdout), &fields); err != nil || code != exitWell {
			t.Fatalf("%q: exit code %d, %v\n%s%s", section, code, err, stdout, stderr)
		}
		if got := strings.Join(slices.Sorted(maps.Keys(fields)), " "); got != want || fields["version"] != 1.0 {
			t.Errorf("%q: version %v with %s, want 1 with %s", section, fields["version"], got, want)
		}
	}
}

func TestConfigReferenceIsTheReference(t *testing.T) {
	code, stdout, stderr := call(t, t.TempDir(), "config reference")
	if code != exitWell || stdout != conf.Reference || stderr != "" {
		t.Errorf("exit code %d, %d bytes, %q", code, len(stdout), stderr)
	}
}

func TestConfigShowIsAConfiguration(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a.toml", fmt.Appendf(nil, validConfig, "/run/a"), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := conf.Load(dir + "/a.toml")
	if err != nil {
		t.Fatal(err)
	}
	_, full, _ := call(t, dir, "config show -c @a.toml")
	for _, options := range []string{"", " --no-defaults"} {
		code, stdout, _ := call(t, dir, "config show -c @a.toml"+options)
		if code != exitWell {
			t.Fatalf("exit code %d", code)
		}
		got, err := conf.Parse("show", []byte(stdout))
		if err != nil {
			t.Fatalf("%v\n%s", err, stdout)
		}
		if string(conf.Show(got)) != string(conf.Show(want)) {
			t.Errorf("show%s prints another configuration:\n%s", options, stdout)
		}
		if short := len(stdout) < len(full)/2; short != (options != "") {
			t.Errorf("show%s prints %d bytes, and without options %d", options, len(stdout), len(full))
		}
	}
}

func TestVersion(t *testing.T) {
	dir := t.TempDir()
	daemonAt(t, dir+"/s", &fakeDaemon{})
	code, stdout, _ := call(t, dir, "version --socket @s")
	if code != exitWell || !strings.HasPrefix(stdout, "holdfast ") || !strings.Contains(stdout, "\ndaemon   1.2.3 go1.26.0 pid 812\n") {
		t.Errorf("%d:\n%s", code, stdout)
	}
	code, stdout, stderr := call(t, dir, "version --socket @gone")
	if code != exitWell || strings.Count(stdout, "\n") != 1 || stderr != "" {
		t.Errorf("without a daemon %d:\n%s%s", code, stdout, stderr)
	}
	code, stdout, _ = call(t, dir, "version --json --socket @s")
	var v struct{ Daemon control.VersionInfo }
	if err := json.Unmarshal([]byte(stdout), &v); code != exitWell || err != nil || v.Daemon.PID != 812 {
		t.Errorf("JSON %d, %v:\n%s", code, err, stdout)
	}
}

// A syncWriter hands what is written to it to the test.
type syncWriter chan string

func (w syncWriter) Write(p []byte) (int, error) {
	w <- string(p)
	return len(p), nil
}

func (w syncWriter) next(t *testing.T) string {
	t.Helper()
	select {
	case s := <-w:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is written")
		return ""
	}
}

func TestEventsFollow(t *testing.T) {
	dir := t.TempDir()
	events := daemonAt(t, dir+"/s", &fakeDaemon{})
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(syncWriter), make(chan int)
	go func() {
		code <- run(ctx, []string{"events", "--follow", "--since", "1", "--socket", dir + "/s"}, nil, out, io.Discard)
	}()
	if got := out.next(t); got != "2026-03-01T12:00:01.000Z server web/rs1 UP -> DOWN: connect: connection refused\n" {
		t.Errorf("first %s", got)
	}
	events.Append(event.Event{At: noon, Kind: event.KindRepair, Subject: "vrrp4-51"})
	if got := out.next(t); got != "2026-03-01T12:00:00.000Z repair vrrp4-51\n" {
		t.Errorf("second %s", got)
	}
	cancel()
	if got := <-code; got != exitWell {
		t.Errorf("exit code %d", got)
	}
}

// With --state the present states are the first lines, and the past is left out.
func TestEventsState(t *testing.T) {
	dir := t.TempDir()
	events := daemonAt(t, dir+"/s", &fakeDaemon{})
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(syncWriter), make(chan int)
	go func() {
		code <- run(ctx, []string{"events", "--follow", "--state", "--json", "--socket", dir + "/s"}, nil, out, io.Discard)
	}()
	if got := out.next(t); got != `{"seq":0,"at":"2026-03-01T12:00:00Z","kind":"instance","subject":"outside","to":"MASTER","reason":"the state","snapshot":true}`+"\n" {
		t.Errorf("first %s", got)
	}
	events.Append(event.Event{At: noon, Kind: event.KindRepair, Subject: "vrrp4-51"})
	if got := out.next(t); got != `{"seq":3,"at":"2026-03-01T12:00:00Z","kind":"repair","subject":"vrrp4-51"}`+"\n" {
		t.Errorf("second %s", got)
	}
	cancel()
	if got := <-code; got != exitWell {
		t.Errorf("exit code %d", got)
	}
}

func TestStatusWatch(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	out, code := make(syncWriter), make(chan int)
	go func() {
		code <- run(ctx, []string{"status", "vrrp", "--watch", "--socket", dir + "/s"}, nil, out, io.Discard)
	}()
	if got := out.next(t); !strings.HasPrefix(got, "holdfast is not running: ") {
		t.Errorf("first %s", got)
	}
	daemonAt(t, dir+"/s", &fakeDaemon{status: wellStatus()})
	for {
		got := out.next(t)
		if strings.Contains(got, "outside  BACKUP") {
			break
		}
		if !strings.HasPrefix(got, "\nholdfast is not running: ") {
			t.Fatalf("then %s", got)
		}
	}
	cancel()
	if got := <-code; got != exitWell {
		t.Errorf("exit code %d", got)
	}
}

// The unit file must not name a command that does not exist.
func TestUnitFileCallsCommandsThatExist(t *testing.T) {
	unit, err := os.ReadFile("holdfast.service")
	if err != nil {
		t.Fatal(err)
	}
	called := 0
	for line := range strings.Lines(string(unit)) {
		_, command, ok := strings.Cut(line, "=/usr/local/sbin/holdfast ")
		if !ok {
			continue
		}
		called++
		args := strings.Fields(command)
		found, rest, err := newRoot().Find(args)
		if err != nil || found.Name() != args[0] || len(rest) != len(args)-1 {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if called < 2 {
		t.Errorf("%d calls found", called)
	}
}
