package heartbeat

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
	"holdfast/integration/tools/golden"
)

// cluster returns the three files of a folder, in an order that needs their names.
func clusterFiles(t *testing.T, folder string) []convert.File {
	t.Helper()
	var files []convert.File
	for _, name := range []string{"authkeys", "haresources", "ha.cf"} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, convert.File{Name: name, Text: string(text)})
	}
	return files
}

// Each folder of testdata has the result for the host lvs1 and the report.
func TestGolden(t *testing.T) {
	for _, name := range []string{"pair", "ipfail", "traps", "media"} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join("testdata", name)
			toml, report := converttest.Run(t, Convert, clusterFiles(t, folder)...)
			golden.Compare(t, filepath.Join(folder, "result.toml"), toml)
			golden.Compare(t, filepath.Join(folder, "result.report"), report.String())
		})
	}
}

// Both nodes get the same instances, with priorities that make each MASTER of what
// haresources gives it.
func TestBothNodes(t *testing.T) {
	priorities := func(director string) string {
		var report convert.Report
		result := Convert(convert.Input{Files: clusterFiles(t, "testdata/pair"), Director: director, Dir: "/etc/holdfast"}, &report)
		var all []string
		for line := range strings.Lines(result.TOML()) {
			if strings.HasPrefix(line, "priority") {
				all = append(all, strings.TrimSpace(line))
			}
		}
		return strings.Join(all, " ")
	}
	if got := priorities("lvs1"); got != "priority = 150" { // 100 is the default
		t.Errorf("lvs1: %s", got)
	}
	if got := priorities("lvs2"); got != "priority = 150" {
		t.Errorf("lvs2: %s", got)
	}
	var report convert.Report
	Convert(convert.Input{Files: clusterFiles(t, "testdata/pair"), Director: "lvs3"}, &report)
	if !strings.Contains(report.String(), "there is no node lvs3, only lvs1, lvs2") {
		t.Errorf("report:\n%s", report.String())
	}
}

// What ha.cf leaves out has heartbeat's defaults: addresses fail back.
func TestDefaults(t *testing.T) {
	for hacf, want := range map[string]bool{"node lvs1\n": true, "node lvs1\nauto_failback off\n": false, "node lvs1\nnice_failback on\n": false} {
		files := []convert.File{{Name: "ha.cf", Text: hacf}, {Name: "haresources", Text: "lvs1 10.0.0.1/24/eth0\n"}}
		toml, report := converttest.Run(t, Convert, files...)
		if strings.Contains(toml, "preempt = false") == want {
			t.Errorf("%q: failback is not %v in\n%s", hacf, want, toml)
		}
		if !strings.Contains(toml, `interval = "10s"`) || !strings.Contains(report.String(), "no deadtime in ha.cf") {
			t.Errorf("%q: no default of deadtime in\n%s%s", hacf, toml, report.String())
		}
	}
}

// What is not a file of heartbeat's is not shown: it may have secrets.
func TestForeignFiles(t *testing.T) {
	for text, want := range map[string]string{
		"vrrp_instance a {\n auth_pass hunter2\n}\n":      "a file of keepalived: convert it with --from keepalived",
		"watch www\n service x\n  monitor y -p hunter2\n": "a file of mon",
		"user root\npassword hunter2 more\n":              "no file of heartbeat",
	} {
		var report convert.Report
		in := convert.Input{Files: []convert.File{{Name: "f", Text: text}}, Host: "lvs1"}
		if result := Convert(in, &report); result != nil && strings.Contains(result.TOML(), "hunter2") {
			t.Errorf("%q: result\n%s", text, result.TOML())
		}
		if got := report.String(); !strings.Contains(got, want) || strings.Contains(got, "hunter2") {
			t.Errorf("%q: report\n%s", text, got)
		}
	}
}

func TestPacemaker(t *testing.T) {
	var report convert.Report
	if Convert(convert.Input{Files: []convert.File{{Name: "ha.cf", Text: "node a\ncrm on\n"}}}, &report) != nil || report.Untranslated() != 1 {
		t.Errorf("report:\n%s", report.String())
	}
}

// The files are known by their content when their names say nothing.
func TestRoles(t *testing.T) {
	for text, want := range map[string]role{
		"auth 1\n1 sha1 x\n":              roleKeys,
		"# comment\nnode a\n":             roleHACF,
		"lvs1 IPaddr::10.0.0.1/24/eth0\n": roleResources,
	} {
		if got := roleOf(convert.File{Name: "stdin", Text: text}); got != want {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func FuzzConvert(f *testing.F) {
	f.Add("node a\ndeadtime 10\nauth 1\n1 sha1 x\n", "a 10.0.0.1/24/eth0 \\\n b::c\n")
	f.Fuzz(func(t *testing.T, hacf, resources string) {
		var report convert.Report
		in := convert.Input{Files: []convert.File{{Name: "ha.cf", Text: hacf}, {Name: "haresources", Text: resources}}, Host: "a", Dir: "/etc/holdfast"}
		if result := Convert(in, &report); result != nil {
			_ = result.TOML()
		}
	})
}

// What becomes of stonith_host: the parameters have names, a password is not translated,
// and only the lines of this node count.
func TestStonith(t *testing.T) {
	const nodes = "node lvs1 lvs2\n"
	for _, c := range []struct{ hacf, toml, report string }{
		{"stonith_host * rps10 /dev/ttyS1 lvs2 0 lvs1 1\n", `params = { serial_to_targets = "/dev/ttyS1 lvs2 0 lvs1 1" }`, ""},
		{"stonith_host lvs1 rcd_serial lvs2 /dev/ttyS0 rts 1500\n", `params = { dtr_rts = "rts", hostlist = "lvs2", msduration = "1500", ttydev = "/dev/ttyS0" }`, ""},
		{"stonith_host lvs1 meatware lvs1 lvs2\n", "action = \"reboot\"\nnode = \"lvs2\"", ""},
		{"stonith_host lvs2 meatware lvs1\n", "", "note: stonith_host: it is for the node lvs2"},
		{"stonith_host * baytech 10.0.0.3 mylogin hunter2\n", "", "the list of processes shows the password of the plugin baytech: write [vrrp.fence] with a fence agent"},
		{"stonith_host * ipmilan lvs2 10.0.0.3 623 none admin me hunter2 power_cycle\n", "", `with agent = "fence_ipmilan"`},
		{"stonith_host * external/ipmi lvs2 10.0.0.3\n", "", "external/ipmi takes hostname, ipaddr, userid, passwd, interface"},
		{"stonith_host * external/ipmi lvs2 10.0.0.3 me hunter2 lan\n", `secrets = { passwd = "/etc/holdfast/fence.secret" }`, "all translated"},
		{"stonith_host * external/ours x\n", "", "stonith -t TYPE -n lists"},
		{"stonith_host * apcsmart /dev/ttyS0\n", "", "apcsmart takes ttydev, hostlist"},
		{"stonith_host * null\n", "", "null takes hostlist"},
		{"stonith_host lvs1\n", "", "takes the node that it is for"},
		{"stonith_host * ssh lvs2\nstonith_host * null lvs2\n", `stonith = "ssh"`, "an instance has one way to fence"},
		{"node lvs3\nstonith_host * ssh lvs2\n", "", "name the other nodes by the addresses"},
		{"stonith baytech /etc/ha.d/conf\n", "", "the parameters are in /etc/ha.d/conf, which cannot be read here"},
		{"stonith rps10\n", "", "a plugin and a file are needed"},
	} {
		files := []convert.File{{Name: "ha.cf", Text: nodes + c.hacf}, {Name: "haresources", Text: "lvs1 10.0.0.1/24/eth0\n"}}
		toml, report := converttest.Run(t, Convert, files...)
		if !strings.Contains(toml, c.toml) || c.toml == "" && strings.Contains(toml, "fence") || !strings.Contains(report.String(), c.report) || strings.Contains(toml+report.String(), "hunter2") {
			t.Errorf("%s\n%s\n%s", c.hacf, toml, report.String())
		}
	}
}

// The parameters of "stonith" are on the first line of its file.
func TestStonithFile(t *testing.T) {
	files := map[string]string{
		"/etc/ha.d/rps10.cfg": "# the switch\n\n/dev/ttyS1 lvs2 0 lvs1 1\nsecond line\n", "/etc/ha.d/apc.cfg": "10.0.0.3 me hunter2\n", "/etc/ha.d/empty.cfg": "# nothing\n",
	}
	for _, c := range []struct{ line, toml, report string }{
		{"stonith rps10 /etc/ha.d/rps10.cfg", `params = { serial_to_targets = "/dev/ttyS1 lvs2 0 lvs1 1" }`, "/etc/ha.d/rps10.cfg:3: note"},
		{"stonith apcmaster /etc/ha.d/apc.cfg", "", `/etc/ha.d/apc.cfg:1: not translated: stonith_host: the list of processes shows the password of the plugin apcmaster: write [vrrp.fence] with agent = "fence_apc"`},
		{"stonith null /etc/ha.d/empty.cfg", "", "has no parameters"},
	} {
		var report convert.Report
		in := convert.Input{
			Host: "lvs1", Dir: "/etc/holdfast",
			Files: []convert.File{{Name: "ha.cf", Text: "node lvs1 lvs2\n" + c.line + "\n"}, {Name: "haresources", Text: "lvs1 10.0.0.1/24/eth0\n"}},
			Read:  func(path string) ([]byte, error) { return []byte(files[path]), nil },
		}
		toml := Convert(in, &report).TOML()
		if !strings.Contains(toml, c.toml) || c.toml == "" && strings.Contains(toml, "fence") || !strings.Contains(report.String(), c.report) || strings.Contains(toml+report.String(), "hunter2") {
			t.Errorf("%s\n%s\n%s", c.line, toml, report.String())
		}
	}
}

// A group of ping nodes is well while one of them answers.
func TestPingGroup(t *testing.T) {
	files := []convert.File{
		{Name: "ha.cf", Text: "node lvs1 lvs2\nping_group routers 10.0.0.253 10.0.0.254\nping_group none\nrespawn hacluster /usr/lib/heartbeat/ipfail\n"},
		{Name: "haresources", Text: "lvs1 10.0.0.1/24/eth0\n"},
	}
	toml, report := converttest.Run(t, Convert, files...)
	for _, want := range []string{
		"track = [\"ping-routers\"]", "name = \"ping-routers\"\ntype = \"service\"\nservice = \"ping-routers\"\nweight = -", "name = \"ping-routers\"\nactive = \"never\"",
		"type = \"ping\"", "address = \"10.0.0.253\"", "address = \"10.0.0.254\"",
	} {
		if !strings.Contains(toml, want) {
			t.Errorf("no %s in\n%s", want, toml)
		}
	}
	if !strings.Contains(report.String(), "ha.cf:3: not translated: ping_group: a name and addresses are needed") {
		t.Error(report.String())
	}
}

// Every medium of heartbeat is a path of the adverts.
func TestMedia(t *testing.T) {
	files := []convert.File{
		{Name: "ha.cf", Text: "node lvs1 lvs2\nbcast eth1 eth0\nucast eth2 10.9.0.2\nucast eth2 10.9.0.1\nmcast eth3 239.0.0.42 694 1 0\n"},
		{Name: "haresources", Text: "lvs1 10.0.0.1/24/eth0\n"},
	}
	toml, report := converttest.Run(t, Convert, files...)
	const path = "[[vrrp.also]]\ninterface = "
	unicast := "peers = [\"10.9.0.2\", \"10.9.0.1\"]\nunicast = true\n"
	want := path + "\"eth1\"\n\n" + path + "\"eth2\"\n" + unicast + "\n" + path + "\"eth3\"\n"
	if !strings.Contains(toml, want) || strings.Count(toml, path) != 3 {
		t.Errorf("no\n%s in\n%s\n%s", want, toml, report.String())
	}
}

// Seen with heartbeat 3.0.6: it took nothing over.
func TestUnendedLine(t *testing.T) {
	for text, want := range map[string]bool{
		"lvs1 10.0.0.1/24/eth0": true, "lvs1 10.0.0.1/24/eth0\n": false, "lvs1 10.0.0.1/24/eth0\n# end": false,
		"lvs1 10.0.0.1/24/eth0\nlvs2 10.0.0.2/24/eth0 # last": true,
	} {
		var report convert.Report
		files := []convert.File{{Name: "ha.cf", Text: "node lvs1 lvs2"}, {Name: "haresources", Text: text}}
		Convert(convert.Input{Files: files, Host: "lvs1"}, &report)
		line := fmt.Sprintf("haresources:%d: note: heartbeat does not read this line", strings.Count(text, "\n")+1)
		if got := strings.Contains(report.String(), line); got != want {
			t.Errorf("%q: %v, want %v\n%s", text, got, want, report.String())
		}
	}
}
