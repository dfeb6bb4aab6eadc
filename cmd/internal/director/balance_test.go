package director

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

// fakeIPVS is the kernel's IPVS: the table of lvstest, sync daemons and timeouts.
type fakeIPVS struct {
	*lvstest.Fake
	daemons  []lvs.SyncDaemon
	steps    []string
	timeouts lvs.Timeouts
	sysctls  map[string]string
	closed   bool
	failDump error
	failSync error
}

func newFakeIPVS() *fakeIPVS {
	return &fakeIPVS{
		Fake:     &lvstest.Fake{},
		sysctls:  map[string]string{"conntrack": "0", "sync_threshold": "3 50", "sync_refresh_period": "0", "expire_nodest_conn": "0"},
		timeouts: lvs.Timeouts{TCP: 900 * time.Second, TCPFin: 120 * time.Second, UDP: 300 * time.Second},
	}
}

func (f *fakeIPVS) Dump() ([]lvs.Wanted, error) {
	if f.failDump != nil {
		return nil, f.failDump
	}
	return f.Fake.Dump()
}

func (f *fakeIPVS) Usage() ([]lvs.Usage, error) {
	content, err := f.Dump()
	if err != nil {
		return nil, err
	}
	usage := make([]lvs.Usage, len(content))
	for i, w := range content {
		usage[i].Service = w.Service
		for _, s := range w.Servers {
			usage[i].Servers = append(usage[i].Servers, lvs.ServerUsage{Server: s})
		}
	}
	return usage, nil
}
func (f *fakeIPVS) SyncDaemons() ([]lvs.SyncDaemon, error) { return f.daemons, nil }
func (f *fakeIPVS) Timeouts() (lvs.Timeouts, error)        { return f.timeouts, nil }
func (f *fakeIPVS) SetTimeouts(t lvs.Timeouts) error       { f.timeouts = t; return nil }
func (f *fakeIPVS) Close()                                 { f.closed = true }
func (f *fakeIPVS) Sysctl(name string) (string, error) {
	if f.sysctls[name] == "" {
		return "", fmt.Errorf("read net.ipv4.vs.%s: %w", name, lvs.ErrNoSysctl)
	}
	return f.sysctls[name], nil
}

func (f *fakeIPVS) SetSysctl(name, value string) error {
	f.sysctls[name] = value
	return nil
}

func (f *fakeIPVS) ApplySync(want []lvs.SyncDaemon) ([]lvs.SyncOp, error) {
	if f.failSync != nil {
		return nil, f.failSync
	}
	ops := lvs.PlanSync(f.daemons, want)
	for _, op := range ops {
		f.steps = append(f.steps, op.String())
	}
	f.daemons = slices.Clone(want)
	return ops, nil
}

const balanced = twoUnits + `
[lvs]
sync = { interface = "eth1", id = 3, follow = "director" }
timeouts = { tcp = "60s" }
[[service]]
name = "web"
address = "10.0.0.100:80"
  [[service.server]]
  address = "192.168.0.11:80"
  name = "rs1"
[[service]]
name = "own"
address = "10.0.0.100:81"
active = "master"
follow = "director"
  [service.check]
  type = "none"
  [[service.server]]
  address = "192.168.0.11:81"
`

// balance returns a balancer over a kernel, as a start makes it.
func balance(t *testing.T, dir string, kernel *fakeIPVS, text string) *balancer {
	t.Helper()
	memory, err := readIPVSState(dir)
	if err != nil {
		t.Fatal(err)
	}
	b := newBalancer(slog.New(slog.NewTextHandler(io.Discard, nil)), memory, func(lvs.Report) {})
	b.attach(kernel)
	if _, err := b.configure(parse(t, text)); err != nil {
		t.Fatal(err)
	}
	mustApply(t, b)
	return b
}

func mustApply(t *testing.T, b *balancer) {
	t.Helper()
	if faults := b.apply(); faults != (ipvsFaults{}) {
		t.Fatalf("%+v", faults)
	}
}

func TestBalancerFollowsTheGroup(t *testing.T) {
	kernel := newFakeIPVS()
	b := balance(t, t.TempDir(), kernel, balanced)
	if got := kernel.String(); strings.Contains(got, ":81") {
		t.Errorf("a service of the MASTER exists on a BACKUP:\n%s", got)
	}
	if !b.setMaster("director", true) {
		t.Fatal("mastership of the group is said not to matter")
	}
	mustApply(t, b)
	if got := kernel.String(); !strings.Contains(got, "-a -t 10.0.0.100:81 -r 192.168.0.11:81") {
		t.Errorf("the service of the MASTER is missing:\n%s", got)
	}
	want := []string{
		"ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 3",
		"ipvsadm --stop-daemon backup",
		"ipvsadm --start-daemon master --mcast-interface eth1 --syncid 3",
	}
	if !slices.Equal(kernel.steps, want) {
		t.Errorf("sync steps %q, want %q", kernel.steps, want)
	}
}

// After a crash and restart, servers that the kernel uses stay in use before the
// first check has run.
func TestBalancerRestart(t *testing.T) {
	dir, kernel := t.TempDir(), newFakeIPVS()
	b := balance(t, dir, kernel, balanced)
	b.table.SetHealth(lvs.Ref{Service: "web", Server: "rs1"}, lvs.Up)
	mustApply(t, b)
	before := kernel.String()
	if !strings.Contains(before, "-r 192.168.0.11:80") {
		t.Fatalf("the server is not in use:\n%s", before)
	}
	again := balance(t, dir, kernel, balanced)
	if got := kernel.String(); got != before {
		t.Errorf("after a restart:\n%swant\n%s", got, before)
	}
	checks, err := again.configure(parse(t, balanced))
	if err != nil || !checks[0].InitiallyUp {
		t.Errorf("the check of a server in use does not start up: %+v, %v", checks[0], err)
	}
}

// A service that a former run made and that is no longer configured is removed. A
// service of another program stays.
func TestBalancerForgotten(t *testing.T) {
	dir, kernel := t.TempDir(), newFakeIPVS()
	balance(t, dir, kernel, balanced)
	foreign := lvs.Op{Verb: lvs.AddService, Service: lvs.Service{
		Key: lvs.Key{Protocol: lvs.TCP, Address: netip.MustParseAddrPort("10.0.0.7:25")}, Scheduler: "rr", PersistPrefix: 32}}
	if err := kernel.Do(foreign)[0]; err != nil {
		t.Fatal(err)
	}
	balance(t, dir, kernel, twoUnits+"[[service]]\nname = \"other\"\naddress = \"10.0.0.100:82\"\n[[service.server]]\naddress = \"192.168.0.9\"\n")
	got := kernel.String()
	if strings.Contains(got, ":80") || !strings.Contains(got, ":82") || !strings.Contains(got, "10.0.0.7:25") {
		t.Errorf("table:\n%s", got)
	}
}

func TestBalancerStop(t *testing.T) {
	for _, onStop := range []conf.OnStop{conf.Clear, conf.Keep} {
		t.Run(string(onStop), func(t *testing.T) {
			dir, kernel := t.TempDir(), newFakeIPVS()
			former := kernel.timeouts
			b := balance(t, dir, kernel, balanced)
			if kernel.timeouts.TCP != time.Minute || kernel.timeouts.UDP != former.UDP {
				t.Errorf("timeouts %+v", kernel.timeouts)
			}
			if err := b.stop(onStop); err != nil {
				t.Fatal(err)
			}
			if kernel.timeouts != former {
				t.Errorf("timeouts are not put back: %+v", kernel.timeouts)
			}
			if len(kernel.daemons) != 0 || !kernel.closed {
				t.Errorf("daemons %v, closed %v", kernel.daemons, kernel.closed)
			}
			if got, keep := kernel.String(), onStop == conf.Keep; strings.Contains(got, ":80") != keep {
				t.Errorf("table:\n%s", got)
			}
			_, err := os.Stat(filepath.Join(dir, "ipvs.json"))
			if left := err == nil; left != (onStop == conf.Keep) {
				t.Errorf("memory is there: %v", left)
			}
		})
	}
}

// At the end the timeouts from before the first run are restored, also when a run
// crashed in between.
func TestTimeoutsAreRememberedOverACrash(t *testing.T) {
	dir, kernel := t.TempDir(), newFakeIPVS()
	former := kernel.timeouts
	balance(t, dir, kernel, balanced) // and crashes
	b := balance(t, dir, kernel, balanced)
	if err := b.stop(conf.Clear); err != nil {
		t.Fatal(err)
	}
	if kernel.timeouts != former {
		t.Errorf("timeouts %+v, want %+v", kernel.timeouts, former)
	}
}

// Sysctls are set, and put back when they are not configured any more and at a stop,
// with the values from before the first run. Those that suit [lvs.sync] are set unless
// the configuration has others. One that is absent is named, and does not
// stop the others.
func TestIPVSSysctls(t *testing.T) {
	dir, kernel := t.TempDir(), newFakeIPVS()
	former := maps.Clone(kernel.sysctls)
	text := func(sysctls string) string {
		return strings.Replace(balanced, "[[service]]", "[lvs.sysctl]\n"+sysctls+"\n[[service]]", 1)
	}
	balance(t, dir, kernel, text("conntrack = 1\nsync_threshold = \"1 20\"")) // and crashes
	b := balance(t, dir, kernel, text("conntrack = 1\nexpire_nodest_conn = 1"))
	want := map[string]string{"conntrack": "1", "expire_nodest_conn": "1", "sync_threshold": "3 4", "sync_refresh_period": "10"}
	if !maps.Equal(kernel.sysctls, want) {
		t.Errorf("sysctls %v, want %v", kernel.sysctls, want)
	}
	kernel.sysctls["conntrack"] = "0" // another program
	if _, err := b.configure(parse(t, text("conntrack = 1\nconn_lfactor = -4"))); err != nil {
		t.Fatal(err)
	}
	faults := b.apply()
	if text := errorText(faults.table); text != "read net.ipv4.vs.conn_lfactor: this kernel does not have it" {
		t.Errorf("faults: %q", text)
	}
	want = map[string]string{"conntrack": "1", "expire_nodest_conn": "0", "sync_threshold": "3 4", "sync_refresh_period": "10"}
	if !maps.Equal(kernel.sysctls, want) {
		t.Errorf("sysctls %v, want %v", kernel.sysctls, want)
	}
	if err := b.stop(conf.Clear); err != nil {
		t.Error(err)
	}
	if !maps.Equal(kernel.sysctls, former) {
		t.Errorf("after the stop: sysctls %v, want %v", kernel.sysctls, former)
	}
	if _, err := os.Stat(filepath.Join(dir, "ipvs.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the saved values are still there: %v", err)
	}
}

// Nothing is changed in the kernel that a later run would not know of, however often
// it is tried.
func TestIPVSIsNotChangedUnrecorded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	state, err := readIPVSState(dir)
	if err != nil {
		t.Fatal(err)
	}
	kernel := newFakeIPVS()
	former := kernel.timeouts
	b := newBalancer(slog.New(slog.DiscardHandler), state, func(lvs.Report) {})
	b.attach(kernel)
	if _, err := b.configure(parse(t, balanced)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if faults := b.apply(); faults.table == nil || faults.sync == nil {
			t.Errorf("%+v", faults)
		}
	}
	if len(kernel.Ops) != 0 || kernel.timeouts != former || len(kernel.daemons) != 0 {
		t.Errorf("changes %v, timeouts %v, daemons %v", kernel.Ops, kernel.timeouts, kernel.daemons)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	mustApply(t, b)
	if got := kernel.String(); !strings.Contains(got, "10.0.0.100:80") || kernel.timeouts.TCP != time.Minute {
		t.Errorf("after the directory exists: timeouts %v, table:\n%s", kernel.timeouts, got)
	}
}

// A start without services and sync daemons opens IPVS to remove those that a former
// run left there, and leaves those of other programs alone. It does without IPVS if
// the kernel has none.
func TestLeftInIPVS(t *testing.T) {
	dir, kernel := t.TempDir(), newFakeIPVS()
	balance(t, dir, kernel, balanced) // and crashes
	start := func(open func() (ipvsTable, error)) {
		t.Helper()
		b, _ := alone(t)
		v := newVirtualServices(b, dir)
		v.kernel = func(context.Context, *slog.Logger) (ipvsTable, error) { return open() }
		c := parse(t, twoUnits)
		if err := v.admit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if _, err := v.balance.configure(c); err != nil {
			t.Fatal(err)
		}
		mustApply(t, v.balance)
	}
	start(func() (ipvsTable, error) { return nil, errors.New("the kernel has no IPVS") })
	start(func() (ipvsTable, error) { return kernel, nil })
	if got := kernel.String(); got != "" || len(kernel.daemons) != 0 || kernel.timeouts != newFakeIPVS().timeouts {
		t.Errorf("left: %v, timeouts %v, table:\n%s", kernel.daemons, kernel.timeouts, got)
	}
	if _, err := os.Stat(filepath.Join(dir, "ipvs.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ipvs.json is still there: %v", err)
	}
	kernel.daemons = []lvs.SyncDaemon{{Role: lvs.SyncBackup, Interface: "eth9"}}
	start(func() (ipvsTable, error) { t.Error("IPVS was opened although nothing is left"); return kernel, nil })
	if len(kernel.daemons) != 1 {
		t.Error("another program's sync daemon was stopped")
	}
}

func TestDamagedMemory(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ipvs.json"), []byte(`{"services": [17`), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := readIPVSState(dir)
	if err == nil || len(m.Services()) != 0 {
		t.Errorf("%v, %v", m.Services(), err)
	}
	if err := m.SetServices([]lvs.Key{{Mark: 7}}); err != nil {
		t.Fatal(err)
	}
	if m, err = readIPVSState(dir); err != nil || len(m.Services()) != 1 {
		t.Errorf("after a new write: %v, %v", m.Services(), err)
	}
}
