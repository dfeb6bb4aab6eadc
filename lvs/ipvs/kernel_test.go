package ipvs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"holdfast/integration/tools"
	"holdfast/integration/uml"
	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

// TestMain runs the tests in User Mode Linux if this kernel has no IPVS. The fuzzer
// and the race detector run on this kernel: the fuzzer must write files, and for
// the race detector see underRace.
func TestMain(m *testing.M) {
	flag.Parse()
	if underRace || flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run())
	}
	uml.Main(m)
}

var discard = slog.New(slog.NewTextHandler(io.Discard, nil))

// kernel opens IPVS in a new network namespace.
func kernel(t *testing.T) *Conn {
	t.Helper()
	namespace(t)
	c, err := Open(context.Background(), discard)
	if underRace && errors.Is(err, ErrAbsent) {
		t.Skip("the race detector does not run in User Mode Linux, and this kernel has no IPVS") //nolint:forbidigo // make ci runs it without the race detector
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// namespace moves the test's goroutine into a new network namespace with lo up. The
// goroutine keeps its thread, so nothing else ever runs there.
func namespace(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
}

// ipvsadm runs ipvsadm in the test's namespace: a child starts in the namespace of
// the thread that forks it, and the test's goroutine is locked to its thread.
func ipvsadm(t *testing.T, args ...string) string {
	t.Helper()
	program, err := tools.Find("ipvsadm")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ipvsadm %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func tcp(address string) lvs.Service {
	return lvs.Service{Key: lvs.Key{Protocol: lvs.TCP, Address: ap(address)}, Scheduler: "wlc"}.Canonical()
}

func nat(address string, weight int) lvs.Server {
	return lvs.Server{Address: ap(address), Forward: lvs.NAT, Weight: weight}
}

func keysOf(content []lvs.Wanted) []lvs.Key {
	var keys []lvs.Key
	for _, w := range content {
		keys = append(keys, w.Service.Key)
	}
	return keys
}

// reach makes the kernel hold want and returns the changes.
func reach(t *testing.T, c *Conn, want ...lvs.Wanted) []lvs.Op {
	t.Helper()
	report, err := lvs.NewApplier(c, nil, nil).Apply(keysOf(want), want)
	if err := errors.Join(err, report.Err()); err != nil {
		t.Fatal(err)
	}
	var ops []lvs.Op
	for _, change := range report.Changes {
		ops = append(ops, change.Op)
	}
	return ops
}

// compare fails the test unless the kernel holds want, both as Dump and as ipvsadm
// read it.
func compare(t *testing.T, c *Conn, want []lvs.Wanted) {
	t.Helper()
	got, err := c.Dump()
	if err != nil {
		t.Fatal(err)
	}
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b lvs.Wanted) int { return a.Service.Key.Compare(b.Service.Key) })
	for i := range want {
		want[i].Servers = slices.Clone(want[i].Servers)
		slices.SortFunc(want[i].Servers, func(a, b lvs.Server) int { return a.Address.Compare(b.Address) })
	}
	if diff := cmp.Diff(lines(want), lines(got)); diff != "" {
		t.Fatalf("read back (-want +got):\n%s", diff)
	}
	var fake lvstest.Fake
	for _, op := range lvs.Plan(nil, want, nil) {
		if err := fake.Do(op)[0]; err != nil {
			t.Fatalf("fake: %v: %v", op, err)
		}
	}
	if diff := cmp.Diff(saved(fake.String()), saved(ipvsadm(t, "-Sn"))); diff != "" {
		t.Fatalf("ipvsadm -Sn (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(thresholds(want), listedThresholds(ipvsadm(t, "-Ln", "--thresholds"))); diff != "" {
		t.Fatalf("ipvsadm -Ln --thresholds (-want +got):\n%s", diff)
	}
}

// unsaid matches what only ipvsadm -S prints (defaults) and what it leaves out: the
// thresholds, and the third flag of a scheduler whose other two have names.
var unsaid = regexp.MustCompile(` --tun-type ipip| --tun-nocsum| -[xy] [0-9]+|,?\bflag-3$`)

// saved is the output of ipvsadm -S or of a fake, in a form to compare.
func saved(s string) []string {
	all := sortedLines(s)
	for i := range all {
		all[i] = strings.TrimSuffix(unsaid.ReplaceAllString(all[i], ""), " -b ")
	}
	return all
}

func thresholds(content []lvs.Wanted) []string {
	var all []string
	for _, w := range content {
		for _, s := range w.Servers {
			all = append(all, fmt.Sprintf("%v %d %d", s.Address, s.Upper, s.Lower))
		}
	}
	slices.Sort(all)
	return all
}

func listedThresholds(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		if f := strings.Fields(line); len(f) == 6 && f[0] == "->" && f[1] != "RemoteAddress:Port" {
			all = append(all, fmt.Sprintf("%s %s %s", f[1], f[2], f[3]))
		}
	}
	slices.Sort(all)
	return all
}

// lines returns content with one line per service or server, for a readable diff.
func lines(content []lvs.Wanted) []string {
	var all []string
	for _, w := range content {
		all = append(all, fmt.Sprintf("%+v", w.Service))
		for _, s := range w.Servers {
			all = append(all, fmt.Sprintf("  %+v", s))
		}
	}
	return all
}

func sortedLines(s string) []string {
	var all []string
	for line := range strings.Lines(s) {
		all = append(all, strings.TrimSpace(line))
	}
	slices.Sort(all)
	return all
}

// What ipvsadm has added is read as ipvsadm prints it, also if we would never add
// it.
func TestReadWhatIpvsadmMade(t *testing.T) {
	c := kernel(t)
	ipvsadm(t, "-A", "-t", "10.0.0.1:80", "-s", "mh", "-b", "mh-port,mh-fallback", "-p", "77", "-M", "255.255.240.0")
	ipvsadm(t, "-a", "-t", "10.0.0.1:80", "-r", "192.168.0.11:8080", "-m", "-w", "70000", "-x", "9", "-y", "3")
	ipvsadm(t, "-a", "-t", "10.0.0.1:80", "-r", "[fd00::1]:80", "-i", "-w", "2", "--tun-type", "gue", "--tun-port", "6080", "--tun-csum")
	ipvsadm(t, "-A", "-u", "[2001:db8::1]:5060", "-s", "rr", "-o", "--pe", "sip", "-p", "60", "-M", "64")
	s := tcp("10.0.0.1:80")
	s.Scheduler, s.Flags, s.Persistence, s.PersistPrefix = "mh", lvs.FlagSched1|lvs.FlagSched2, 77*time.Second, 20
	sip := lvs.Service{
		Key: lvs.Key{Protocol: lvs.UDP, Address: ap("[2001:db8::1]:5060")}, Scheduler: "rr", Flags: lvs.FlagOnePacket,
		Persistence: time.Minute, PersistPrefix: 64, PersistEngine: "sip",
	}
	compare(t, c, []lvs.Wanted{
		{Service: s.Canonical(), Servers: []lvs.Server{
			{Address: ap("192.168.0.11:8080"), Weight: 70000, Upper: 9, Lower: 3},
			{Address: ap("[fd00::1]:80"), Forward: lvs.TUN, Weight: 2, Tunnel: lvs.Tunnel{Type: lvs.GUE, Port: 6080, Checksum: true}},
		}},
		{Service: sip.Canonical()},
	})
}

func TestDriftIsRepairedAndForeignServicesStay(t *testing.T) {
	c := kernel(t)
	want := []lvs.Wanted{
		{Service: tcp("10.0.0.1:80"), Servers: []lvs.Server{nat("192.168.0.11:80", 5), nat("192.168.0.12:80", 3)}},
		{Service: tcp("10.0.0.1:443")},
	}
	ipvsadm(t, "-A", "-t", "10.9.9.9:9", "-s", "rr")
	ipvsadm(t, "-a", "-t", "10.9.9.9:9", "-r", "10.9.9.10:9", "-g")
	a := lvs.NewApplier(c, nil, nil)
	if _, err := a.Apply(keysOf(want), want); err != nil {
		t.Fatal(err)
	}
	before := sortedLines(ipvsadm(t, "-Sn"))
	ipvsadm(t, "-d", "-t", "10.0.0.1:80", "-r", "192.168.0.11:80")
	ipvsadm(t, "-e", "-t", "10.0.0.1:80", "-r", "192.168.0.12:80", "-i", "-w", "9")
	ipvsadm(t, "-D", "-t", "10.0.0.1:443")
	report, err := a.Apply(keysOf(want), want)
	if err != nil || report.Err() != nil {
		t.Fatal(err, report.Err())
	}
	for _, change := range report.Changes {
		if !change.Drift {
			t.Errorf("not reported as drift: %v", change.Op)
		}
	}
	if len(report.Changes) != 3 {
		t.Errorf("%d changes, want 3: %v", len(report.Changes), report.Changes)
	}
	if diff := cmp.Diff(before, sortedLines(ipvsadm(t, "-Sn"))); diff != "" {
		t.Errorf("after the repair (-before +after):\n%s", diff)
	}
}

// The fake and the kernel get the same random changes, most of them faulty. They
// must refuse the same changes with the same error.
func TestFakeRefusesWhatTheKernelRefuses(t *testing.T) {
	c := kernel(t)
	g := rand.New(rand.NewPCG(1, 2))
	fake := lvstest.Fake{Schedulers: []string{"rr", "wlc"}}
	services := []lvs.Service{tcp("10.0.0.1:80"), tcp("[2001:db8::1]:80"), {Key: lvs.Key{Mark: 7}}}
	refused := make(map[error]int)
	for step := range 1000 {
		op := lvs.Op{Verb: lvs.Verb(g.IntN(6)), Service: services[g.IntN(len(services))]}
		op.Service.Scheduler = []string{"rr", "wlc"}[g.IntN(2)]
		if g.IntN(20) == 0 {
			op.Service.Scheduler = "nosuch" // slow, because the kernel calls modprobe
		}
		op.Service = op.Service.Canonical()
		op.Server = lvs.Server{
			Address: []netip.AddrPort{ap("192.168.0.11:80"), ap("192.168.0.12:80"), ap("[fd00::1]:80")}[g.IntN(3)],
			Forward: []lvs.Forward{lvs.NAT, lvs.DR, lvs.TUN}[g.IntN(3)],
			Weight:  g.IntN(4) - 1,
			Upper:   uint32(g.IntN(3)), Lower: uint32(g.IntN(3)),
		}
		if op.Server.Forward == lvs.TUN && g.IntN(2) == 0 {
			op.Server.Tunnel = lvs.Tunnel{Type: lvs.GUE, Port: uint16(g.IntN(2))}
		}
		if op.Verb == lvs.DeleteService && g.IntN(4) > 0 {
			continue // let tables grow
		}
		want, got := fake.Do(op)[0], c.Do(op)[0]
		for _, is := range []error{syscall.EEXIST, syscall.ENOENT, syscall.ESRCH, syscall.EINVAL, syscall.ERANGE, lvs.ErrExists, lvs.ErrNoService, lvs.ErrNoServer, lvs.ErrNoScheduler} {
			if errors.Is(want, is) != errors.Is(got, is) {
				t.Fatalf("step %d: %v: fake %v, kernel %v", step, op, want, got)
			}
			if errors.Is(got, is) {
				refused[is]++
			}
		}
		if (want == nil) != (got == nil) {
			t.Fatalf("step %d: %v: fake %v, kernel %v", step, op, want, got)
		}
	}
	if diff := cmp.Diff(saved(fake.String()), saved(ipvsadm(t, "-Sn"))); diff != "" {
		t.Fatalf("ipvsadm -Sn (-fake +kernel):\n%s", diff)
	}
	if len(refused) != 9 {
		t.Errorf("only these refusals were seen: %v", refused)
	}
}

func TestCounters(t *testing.T) {
	c := kernel(t)
	key := lvs.Key{Protocol: lvs.UDP, Address: ap("127.0.0.1:5000")}.Canonical()
	server, err := net.ListenPacket("udp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	behind := server.LocalAddr().(*net.UDPAddr).AddrPort()
	reach(t, c, lvs.Wanted{
		Service: lvs.Service{Key: key, Scheduler: "rr", Persistence: time.Minute}.Canonical(),
		Servers: []lvs.Server{{Address: behind, Forward: lvs.NAT, Weight: 1}},
	})
	client, err := net.Dial("udp", "127.0.0.1:5000")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	buffer := make([]byte, 100)
	for range 3 {
		if _, err := client.Write(make([]byte, 72)); err != nil { // 100 bytes with headers
			t.Fatal(err)
		}
		server.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, _, err := server.ReadFrom(buffer); err != nil {
			t.Fatal(err)
		}
	}
	want := lvs.Counters{Connections: 1, PacketsIn: 3, BytesIn: 300}
	usage := awaitUsage(t, c, func(u lvs.Usage) bool { return u.Counters.PacketsIn >= 3 })
	s := usage.Servers[0]
	for what, got := range map[string]lvs.Counters{"service": usage.Counters, "server": s.Counters} {
		if got.Rates == nil {
			t.Errorf("the %s has no rates", what)
		}
		got.Rates = nil // they change with time
		if got != want {
			t.Errorf("counters of the %s: %+v, want %+v", what, got, want)
		}
	}
	c.sysctls = t.TempDir()
	if err := os.WriteFile(filepath.Join(c.sysctls, "run_estimation"), []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	unrated, err := c.Usage()
	if err != nil || unrated[0].Counters.Rates != nil || unrated[0].Servers[0].Counters.Rates != nil || unrated[0].Counters.PacketsIn != 3 {
		t.Errorf("while the kernel estimates no rates: %+v, %v", unrated, err)
	}
	if s.Active+s.Inactive != 1 || s.Persistent != 1 {
		t.Errorf("connections: %d active, %d inactive, %d persistent; want 1 and 1 persistent", s.Active, s.Inactive, s.Persistent)
	}
}

// Each sysctl that the kernel has takes the bounds of its values, and the value that
// it had before.
func TestSysctls(t *testing.T) {
	c := kernel(t)
	var absent []string
	for _, s := range lvs.Sysctls() {
		former, err := c.Sysctl(s.Name)
		if errors.Is(err, lvs.ErrNoSysctl) {
			absent = append(absent, s.Name)
			if err := c.SetSysctl(s.Name, "1"); !errors.Is(err, lvs.ErrNoSysctl) {
				t.Errorf("set %s, which this kernel does not have: %v", s.Name, err)
			}
			continue
		}
		values := []string{strconv.Itoa(s.Low), strconv.Itoa(s.High), former}
		if s.Numbers == 2 {
			values = []string{"0 0", fmt.Sprintf("%d %d", s.High-1, s.High), former}
		}
		for _, value := range values {
			if parsed, err := s.Parse(value); err != nil || parsed != value {
				t.Errorf("%s: %q is read as %q, %v", s.Name, value, parsed, err)
			}
			if err := c.SetSysctl(s.Name, value); err != nil {
				t.Error(err)
			}
			if got, err := c.Sysctl(s.Name); err != nil || got != value {
				t.Errorf("%s is %q, %v; want %q", s.Name, got, err, value)
			}
		}
	}
	if slices.Contains(absent, "expire_nodest_conn") || slices.Contains(absent, "sync_threshold") {
		t.Errorf("this kernel does not have %v", absent)
	}
}

// awaitUsage reads the one service until hoped reports true: the kernel sums its
// counters up every two seconds.
func awaitUsage(t *testing.T, c *Conn, hoped func(lvs.Usage) bool) lvs.Usage {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		usage, err := c.Usage()
		if err != nil || len(usage) != 1 {
			t.Fatal(len(usage), err)
		}
		if hoped(usage[0]) {
			return usage[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("after 10 s: %+v", usage[0])
		}
	}
}

func TestTimeouts(t *testing.T) {
	c := kernel(t)
	before, err := c.Timeouts()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetTimeouts(lvs.Timeouts{TCP: 1234 * time.Second, UDP: 56 * time.Second}); err != nil {
		t.Fatal(err)
	}
	got, err := c.Timeouts()
	if want := (lvs.Timeouts{TCP: 1234 * time.Second, TCPFin: before.TCPFin, UDP: 56 * time.Second}); err != nil || got != want {
		t.Errorf("timeouts are %+v, %v; want %+v", got, err, want)
	}
	if out := ipvsadm(t, "-L", "--timeout"); !strings.Contains(out, "1234 120 56") {
		t.Errorf("ipvsadm says %s", out)
	}
}

func TestInfo(t *testing.T) {
	info, err := kernel(t).info()
	if err != nil || info.version != "1.2.1" || info.tableSize < 256 {
		t.Errorf("got %+v, %v", info, err)
	}
	if out := ipvsadm(t, "-Ln"); !strings.Contains(out, fmt.Sprintf("version %s (size=%d)", info.version, info.tableSize)) {
		t.Errorf("got %+v, ipvsadm says %s", info, out)
	}
}

func TestConcurrentUse(t *testing.T) {
	c := kernel(t)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			s := tcp(fmt.Sprintf("10.0.0.%d:80", i+1))
			for range 5 {
				for _, op := range []lvs.Op{
					{Verb: lvs.AddService, Service: s},
					{Verb: lvs.AddServer, Service: s, Server: nat("192.168.0.11:80", 1)},
				} {
					if err := c.Do(op)[0]; err != nil {
						t.Error(err)
					}
				}
				if _, err := c.Usage(); err != nil {
					t.Error(err)
				}
				if err := c.Do(lvs.Op{Verb: lvs.DeleteService, Service: s})[0]; err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	compare(t, c, nil)
}
