package doctor

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev/frame"
)

const base = `
[director]
name = "lvs1"
runtime_dir = "/run/holdfast"
[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
addresses = ["10.0.0.100/24"]
`

const six = `
[[vrrp]]
name = "outside6"
interface = "eth0"
vrid = 51
addresses = ["fe80::51", "2001:db8::100/64"]
`

var balancing = `
[lvs]
sync = { interface = "eth0" }
` + strings.Replace(forwarded("nat"), "forward", "scheduler = \"mh\"\nforward", 1)

// forwarded returns a service whose servers get the packets by a method.
func forwarded(method string) string {
	return `
[[service]]
name = "web"
address = "10.0.0.100:80"
forward = "` + method + `"
[service.check]
type = "tcp"
[[service.server]]
address = "10.0.0.11:80"
`
}

// patient returns one whose daemon says the state of outside; without it no daemon runs.
func patient(t *testing.T, text, state string) *Patient {
	t.Helper()
	c, err := conf.Parse("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := &Patient{Config: c}
	if state != "" {
		p.Status = &status.Status{VRRP: []status.Instance{{Name: "outside", State: state}}}
	}
	return p
}

// A lookCase is facts with what must be found in them: for each finding its severity, and
// words of it.
type lookCase[F any] struct {
	name, config, state string
	facts               F
	want                []string
}

func run[F any](t *testing.T, judge func(*Patient, F) []Finding, cases []lookCase[F]) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.config == "" {
				c.config = base
			}
			found := judge(patient(t, c.config, c.state), c.facts)
			if len(found) != len(c.want) {
				t.Fatalf("%d findings, want %d: %+v", len(found), len(c.want), found)
			}
			for i, f := range found {
				severity, words, _ := strings.Cut(c.want[i], ": ")
				if string(f.Severity) != severity || !strings.Contains(f.What, words) {
					t.Errorf("%s: %s, want %s", f.Severity, f.What, c.want[i])
				}
				if f.Severity != Note && (f.Why == "" || f.Cure == "") {
					t.Errorf("%s: no reason or no cure: %+v", f.What, f)
				}
			}
		})
	}
}

func set(names ...string) map[string]bool {
	m := map[string]bool{}
	for _, n := range names {
		m[n] = true
	}
	return m
}

func TestModules(t *testing.T) {
	run(t, judgeModules, []lookCase[moduleFacts]{
		{name: "loaded", facts: moduleFacts{Loaded: set("macvlan")}},
		{name: "built in", facts: moduleFacts{Builtin: set("macvlan")}},
		{name: "on disk", facts: moduleFacts{Loadable: set("macvlan")}},
		{name: "none", facts: moduleFacts{Kernel: "6.1"}, want: []string{"error: the kernel 6.1 has no module macvlan"}},
		{name: "container", facts: moduleFacts{Unknown: true}, want: []string{"note: module macvlan is not loaded"}},
		{name: "container whose kernel has it built in", facts: moduleFacts{Unknown: true, Config: map[string]string{"macvlan": "y"}}},
		{name: "container whose kernel has it as a module", facts: moduleFacts{Unknown: true, Config: map[string]string{"macvlan": "m"}}, want: []string{"note: module macvlan is not loaded"}},
		{name: "container whose kernel was built without", facts: moduleFacts{Unknown: true, Config: map[string]string{}, Kernel: "6.1"}, want: []string{"error: the kernel 6.1 was built without macvlan"}},
		{name: "from another tree", facts: moduleFacts{Loadable: set("macvlan"), Config: map[string]string{}}},
		{name: "container that has it", facts: moduleFacts{Unknown: true, Macvlan: true}},
		{name: "all", config: base + balancing, facts: moduleFacts{Loaded: set("macvlan", "ip_vs", "ip_vs_mh")}},
		{name: "no scheduler", config: base + balancing, facts: moduleFacts{Loaded: set("macvlan"), IPVS: true}, want: []string{"error: no module ip_vs_mh"}},
		{name: "no IPVS in a container", config: base + balancing, facts: moduleFacts{Unknown: true, Loaded: set("macvlan", "ip_vs_mh")}, want: []string{"error: no IPVS now"}},
	})
}

func TestKernelConfig(t *testing.T) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	fmt.Fprint(w, "# Linux/x86 6.18 Kernel Configuration\nCONFIG_MACVLAN=y\nCONFIG_IP_VS_WLC=m\n# CONFIG_IP_VS is not set\nCONFIG_CC=\"gcc = it\"\n")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.gz")
	if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got := kernelConfig(file)
	if got["macvlan"] != "y" || got["ip_vs_wlc"] != "m" || got["ip_vs"] != "" || len(got) != 3 {
		t.Errorf("%q", got)
	}
	if err := os.WriteFile(file, packed.Bytes()[:packed.Len()/2], 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kernelConfig(file); got != nil {
		t.Errorf("half a file says %q", got)
	}
	if got := kernelConfig(file + ".none"); got != nil {
		t.Errorf("no file says %q", got)
	}
}

func TestCapabilities(t *testing.T) {
	run(t, judgeCapabilities, []lookCase[capabilityFacts]{
		{name: "root", facts: capabilityFacts{Known: true, Effective: 1<<41 - 1}},
		{name: "not known"},
		{name: "daemon", facts: capabilityFacts{Known: true, Daemon: true, PID: 7, Effective: 1<<41 - 1 - 1<<23}, want: []string{"warning: (process 7) has no CAP_SYS_NICE"}},
		{name: "user", facts: capabilityFacts{Known: true}, want: []string{"note: CAP_NET_ADMIN", "note: CAP_NET_RAW", "note: CAP_SYS_NICE"}},
	})
	if got, ok := effectiveCapabilities("CapPrm:\t1\nCapEff:\t00000000a0\n"); got != 0xa0 || !ok {
		t.Errorf("capabilities %x %v", got, ok)
	}
}

func TestDirectories(t *testing.T) {
	well := directoryFacts{Use: &runtimeUse, Path: "/run/holdfast", Exists: true, IsDir: true, Mode: 0o755, Free: 1 << 30}
	with := func(change func(*directoryFacts)) []directoryFacts { f := well; change(&f); return []directoryFacts{f} }
	run(t, judgeDirectories, []lookCase[[]directoryFacts]{
		{name: "well", facts: with(func(*directoryFacts) {})},
		{name: "not made yet", facts: with(func(f *directoryFacts) { f.Exists, f.IsDir = false, false })},
		{name: "gone", state: "BACKUP", facts: with(func(f *directoryFacts) { f.Exists, f.IsDir = false, false }), want: []string{"error: runtime directory /run/holdfast is gone"}},
		{name: "file", facts: with(func(f *directoryFacts) { f.IsDir = false }), want: []string{"error: not a directory"}},
		{name: "read-only", facts: with(func(f *directoryFacts) { f.Fixed = true }), want: []string{"error: read-only"}},
		{name: "full", facts: with(func(f *directoryFacts) { f.Free = 4096 }), want: []string{"warning: 4 KiB left"}},
		{name: "open", facts: with(func(f *directoryFacts) { f.Mode = 0o777 }), want: []string{"warning: mode 0777"}},
		{name: "journal", facts: with(func(f *directoryFacts) { f.Use, f.Fixed = &journalUse, true }), want: []string{"warning: directory of the journal /run/holdfast is mounted read-only"}},
		{name: "open journal", facts: with(func(f *directoryFacts) { f.Use, f.Mode = &journalUse, 0o777 })},
	})
}

// The directory of the journal is looked at unless it is the runtime directory.
func TestLookAtDirectories(t *testing.T) {
	dir := t.TempDir()
	for journal, want := range map[string][]string{
		dir + "/sub/events.jsonl":      {dir, dir + "/sub"},
		dir + "/events.jsonl":          {dir},
		"off":                          {dir},
		"/proc/version/x/events.jsonl": {dir}, // which cannot be looked at
	} {
		text := strings.Replace(base, "\"/run/holdfast\"", fmt.Sprintf("%q\njournal = %q", dir, journal), 1)
		all, err := lookAtDirectories(t.Context(), patient(t, text, ""))
		var got []string
		for _, f := range all {
			got = append(got, f.Path)
		}
		if !slices.Equal(got, want) || (err != nil) != strings.HasPrefix(journal, "/proc") {
			t.Errorf("the journal %s: looked at %q, want %q: %v", journal, got, want, err)
		}
	}
}

func TestForwarding(t *testing.T) {
	run(t, judgeForwarding, []lookCase[forwardingFacts]{
		{name: "no service", facts: forwardingFacts{"0", "0"}},
		{name: "on", config: base + balancing, facts: forwardingFacts{"1", "0"}},
		{name: "off", config: base + balancing, facts: forwardingFacts{"0", "0"}, want: []string{"error: net.ipv4.ip_forward is 0"}},
		{name: "dr", config: base + forwarded("dr"), facts: forwardingFacts{"0", "0"}},
	})
}

func TestSettings(t *testing.T) {
	parent := interfaceFacts{Exists: true, Filter: "1", AllFilter: "0", OwnFilter: "1", Ignore: "1", Announce: "2", HasIPv6: true}
	device := interfaceFacts{Exists: true, Filter: "0", AllFilter: "0", OwnFilter: "0", Ignore: "1", Announce: "2", HasIPv6: true}
	with := func(f interfaceFacts, change func(*interfaceFacts)) interfaceFacts { change(&f); return f }
	run(t, judgeSettings, []lookCase[settingFacts]{
		{name: "well", facts: settingFacts{"eth0": parent, "vrrp4-51": device}},
		{name: "before the first start", facts: settingFacts{"eth0": {Exists: true, Filter: "1", Ignore: "0", Announce: "0"}}},
		{name: "strict", facts: settingFacts{"eth0": parent, "vrrp4-51": with(device, func(f *interfaceFacts) { f.Filter, f.AllFilter = "1", "1" })},
			want: []string{"error: rp_filter is strict on vrrp4-51: all has 1"}},
		{name: "loose", facts: settingFacts{"eth0": parent, "vrrp4-51": with(device, func(f *interfaceFacts) { f.Filter, f.AllFilter = "2", "2" })}},
		{name: "arp", facts: settingFacts{"eth0": with(parent, func(f *interfaceFacts) { f.Ignore, f.Announce = "0", "0" }), "vrrp4-51": device},
			want: []string{"error: arp_ignore on eth0 is 0", "error: arp_announce on eth0 is 0"}},
		{name: "no IPv6", config: base + six, facts: settingFacts{"eth0": with(parent, func(f *interfaceFacts) { f.NoIPv6 = true }), "vrrp4-51": device},
			want: []string{"error: disable_ipv6 is 1 on eth0"}},
	})
}

func TestIPVS(t *testing.T) {
	run(t, judgeIPVS, []lookCase[ipvsFacts]{
		{name: "none", config: base + balancing},
		{name: "not set yet", config: base + balancing, facts: ipvsFacts{"sync_threshold": "3 50"}},
		{name: "changed", config: base + balancing, state: "MASTER", facts: ipvsFacts{"sync_threshold": "3 50"}, want: []string{`warning: sync_threshold is "3 50"`}},
		{name: "as configured", config: base + balancing, state: "MASTER", facts: ipvsFacts{"sync_threshold": "3 4", "drop_packet": "0"}},
		{name: "defence", config: base + balancing, facts: ipvsFacts{"drop_packet": "3"}, want: []string{"warning: net.ipv4.vs.drop_packet is 3"}},
	})
}

func TestBridges(t *testing.T) {
	run(t, judgeBridges, []lookCase[[]bridgeFacts]{
		{name: "no querier", facts: []bridgeFacts{{"eth0", "br0", true, false}}, want: []string{"warning: br0 (for eth0) snoops"}},
		{name: "querier", facts: []bridgeFacts{{"eth0", "br0", true, true}}},
		{name: "no snooping", facts: []bridgeFacts{{"eth0", "br0", false, false}}},
	})
}

func TestManagers(t *testing.T) {
	facts := func(managed []string, files ...string) managerFacts {
		return managerFacts{"NetworkManager": {Running: true, Files: files, Managed: managed}}
	}
	const ours = "[keyfile]\nunmanaged-devices+=interface-name:vrrp4-*;interface-name:vrrp6-*\n"
	run(t, judgeManagers, []lookCase[managerFacts]{
		{name: "none runs"},
		{name: "no file", facts: facts([]string{"vrrp4-51"}), want: []string{"warning: NetworkManager runs, and no file keeps it away from vrrp4-51"}},
		{name: "ours", facts: facts([]string{"lo"}, ours)},
		{name: "ours, not read yet", facts: facts([]string{"lo", "vrrp4-51"}, ours), want: []string{"warning: NetworkManager runs and manages vrrp4-51"}},
		{name: "by section", facts: facts(nil, "[device-holdfast]\nmatch-device=interface-name:vrrp4-*,interface-name:vrrp6-*\nmanaged=0\n")},
		{name: "another's", facts: facts(nil, "[device-x]\nmatch-device=interface-name:docker*\nmanaged=0\n"), want: []string{"warning: vrrp4-51"}},
	})
}

// What the programs of the managers print: networkctl 252, nmcli 1.42.
func TestManagedInterfaces(t *testing.T) {
	for _, c := range []struct {
		managed    func(line string) string
		line, want string
	}{
		{managedByNetworkd, "  1 lo       loopback carrier  unmanaged", ""},
		{managedByNetworkd, "  4 vrrp4-51 ether    routable configured", "vrrp4-51"},
		{managedByNetworkd, "  5 vrrp4-52 ether    off      configuring", "vrrp4-52"},
		{managedByNetworkd, "WARNING: systemd-networkd is not running, output will be incomplete.", ""},
		{managedByNetworkManager, "vrrp4-51:unmanaged", ""},
		{managedByNetworkManager, "vrrp4-51:connected (externally)", "vrrp4-51"},
		{managedByNetworkManager, "vrrp4-52:disconnected", "vrrp4-52"},
		{managedByNetworkManager, "", ""},
	} {
		if got := c.managed(c.line); got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

func TestClock(t *testing.T) {
	hmac := strings.Replace(base, "vrid", "auth = { type = \"hmac\", keys = [{ id = 1, secret = \"0123456789abcdef0123456789abcdef\" }] }\nvrid", 1)
	run(t, judgeClock, []lookCase[clockFacts]{
		{name: "not known"},
		{name: "synchronised", facts: clockFacts{Known: true, Synchronised: true}},
		{name: "not", facts: clockFacts{Known: true}, want: []string{"note: not synchronised"}},
		{name: "HMAC", config: hmac, facts: clockFacts{Known: true}, want: []string{"warning: not synchronised"}},
	})
}

func TestTunnels(t *testing.T) {
	run(t, judgeTunnels, []lookCase[[]pathFacts]{
		{name: "fits", config: base + forwarded("tun"), facts: []pathFacts{{"web", "10.0.0.11:80", "eth1", 1520, 20, 1500}}},
		{name: "does not", config: base + forwarded("tun"), facts: []pathFacts{{"web", "10.0.0.11:80", "eth1", 1500, 20, 1500}}, want: []string{"note: eth1 has MTU 1500"}},
		{name: "not known", config: base + forwarded("tun"), facts: []pathFacts{{"web", "10.0.0.11:80", "eth1", 1500, 20, 0}}},
	})
	if got := overhead(&patient(t, base+forwarded("tun"), "").Config.Services[0].Servers[0].Server); got != 20 {
		t.Errorf("IPIP takes %d bytes", got)
	}
}

func TestAnswers(t *testing.T) {
	vip := place{"eth0", netip.MustParseAddr("10.0.0.100")}
	rs := place{"eth0", netip.MustParseAddr("10.0.0.11")}
	virtual, other := frame.MAC{0, 0, 0x5e, 0, 1, 51}, frame.MAC{2, 0, 0, 0, 0, 9}
	facts := func(macs ...frame.MAC) answerFacts {
		return answerFacts{map[place]bool{vip: true}, map[place][]frame.MAC{vip: macs, rs: {other}}, map[netip.Addr]bool{}}
	}
	server := facts(other)
	server.Servers[rs.Address] = true
	bare := strings.Replace(base, "vrid", "mac = \"interface\"\nvrid", 1)
	run(t, judgeAnswers, []lookCase[answerFacts]{
		{name: "not asked"},
		{name: "backup", state: "BACKUP", facts: facts(virtual)},
		{name: "master", state: "MASTER", facts: facts()},
		{name: "two masters", state: "MASTER", facts: facts(virtual), want: []string{"error: another host answers for 10.0.0.100"}},
		{name: "nobody", state: "BACKUP", facts: facts(), want: []string{"error: nobody answers for 10.0.0.100"}},
		{name: "free", facts: facts(), want: []string{"note: nobody answers on eth0 for 10.0.0.100"}},
		{name: "stranger", state: "BACKUP", facts: facts(virtual, other), want: []string{"error: 02:00:00:00:00:09 answers ARP"}},
		{name: "before the start", facts: facts(other), want: []string{"error: 02:00:00:00:00:09 answers ARP"}},
		{name: "realserver", config: base + forwarded("dr"), state: "MASTER", facts: server, want: []string{"error: the realserver 10.0.0.11"}},
		{name: "interface's MAC", config: bare, state: "BACKUP", facts: facts(other)},
		{name: "two with interfaces' MACs", config: bare, state: "BACKUP", facts: facts(other, frame.MAC{2, 8}), want: []string{"error: 02:08:00:00:00:00 answers ARP"}},
		{name: "beside a MASTER with its interface's MAC", config: bare, state: "MASTER", facts: facts(other), want: []string{"error: 02:00:00:00:00:09 answers ARP"}},
	})
}

func TestFilter(t *testing.T) {
	gateway := netip.MustParseAddr("10.0.0.1")
	run(t, judgeFilter, []lookCase[[]filterFacts]{
		{name: "nobody to ask", facts: []filterFacts{{Interface: "eth0"}}},
		{name: "passes", facts: []filterFacts{{"eth0", gateway, unusedMAC, true}}},
		{name: "dropped", facts: []filterFacts{{"eth0", gateway, unusedMAC, false}}, want: []string{"warning: 10.0.0.1 answers eth0"}},
	})
}

// What could not be seen is said, a remedy is carried out once, and a failed one stays.
func TestReport(t *testing.T) {
	calls := 0
	good := func(context.Context) (string, error) { calls++; return "did it", nil }
	bad := func(context.Context) (string, error) { return "", errors.New("refused") }
	r := &Report{Blind: []Blind{{"clock", "no clock\nnor a watch"}}}
	r.Add(Finding{Severity: Note, What: "n"}, Finding{Severity: Error, What: "e", fix: good}, Finding{Severity: Warning, What: "w", fix: bad})
	if r.Findings[0].What != "e" || r.Findings[2].What != "n" || r.Well() || r.Fixable() != 2 {
		t.Fatalf("%+v", r)
	}
	r.Fix(t.Context())
	text := r.Text(func(_ Severity, s string) string { return s })
	for _, want := range []string{"fixed: did it", "not fixed: refused", "NOT SEEN clock: no clock\n        nor a watch\n", "0 errors, 1 warning; 1 fixed"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if calls != 1 || r.Well() {
		t.Error(fmt.Sprint(calls, r.Well()))
	}
	r.Findings = r.Findings[:1]
	if !r.Well() {
		t.Error("not well after the last cure")
	}
}
