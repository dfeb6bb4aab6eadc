package ipvs_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// The doctor finds nothing on directors that balance by DR and by NAT, the MASTER and the
// BACKUP. It finds each thing that is broken, cures what is broken here, and finds nothing
// when the realserver is healed too.
func TestDoctor(t *testing.T) {
	p := lab.NewPair(t, 2)
	direct(p)
	for _, h := range p.Realservers {
		realserver(t, h)
		h.ServeHTTP(":80")
	}
	for _, h := range p.Directors {
		h.DefaultRoute(lab.RouterIP) // a neighbour that can be asked
	}
	daemons := start(t, p, "[lvs.sysctl]\nexpire_nodest_conn = 1\n"+
		service("direct", web, "forward = \"dr\"\n"+check, rs1, rs2)+
		service("translated", lab.VIP+":81", "forward = \"nat\"\n"+check, rs1, rs2))
	awaitTable(t, p.Directors[0], "-r "+rs1+" -g", "-r "+rs2+" -m")
	for _, d := range daemons {
		lab.Wait(t, 60*time.Second, "the doctor finds nothing", func() (string, bool) {
			out, stderr, err := d.CLI("doctor")
			return out + stderr, err == nil && strings.Contains(out, "nothing wrong") && !strings.Contains(out, "NOT SEEN")
		})
	}
	director, rs := p.Directors[0], p.Realservers[0]
	rs.Sysctl("net/ipv4/conf/all/arp_ignore", "0")
	director.Sysctl("net/ipv4/ip_forward", "0")
	director.Sysctl("net/ipv4/vs/drop_entry", "3")
	director.Sysctl("net/ipv4/vs/expire_nodest_conn", "0")
	found := diagnose(t, daemons[0], "--fix")
	for _, ail := range []struct {
		what  string
		fixed bool // by the doctor: it does not touch other hosts
	}{
		{`^the realserver 192\.168\.0\.11 \(.*\) answers ARP for the virtual address 10\.0\.0\.100 on eth0$`, false},
		{`^net\.ipv4\.ip_forward is 0, and the service translated forwards by NAT$`, true},
		{`^net\.ipv4\.vs\.drop_entry is 3$`, true},
		{`^net\.ipv4\.vs\.expire_nodest_conn is "0", and the configuration says "1"$`, true},
	} {
		i := slices.IndexFunc(found, func(f finding) bool { return regexp.MustCompile(ail.what).MatchString(f.What) })
		if i < 0 {
			t.Errorf("%s: not found in %+v", ail.what, found)
		} else if fixed := found[i].Fixed != ""; fixed != ail.fixed {
			t.Errorf("%s: fixed is %q, and the error %q", ail.what, found[i].Fixed, found[i].FixError)
		}
	}
	rs.Sysctl("net/ipv4/conf/all/arp_ignore", "1")
	if found := diagnose(t, daemons[0]); len(found) > 0 {
		t.Errorf("all is healed, and the doctor finds %+v", found)
	}
}

type finding struct {
	Severity, What, Fixed string

	FixError string `json:"fix_error"`
}

// diagnose returns what the doctor finds, without notes.
func diagnose(t *testing.T, d *lab.Daemon, args ...string) []finding {
	t.Helper()
	out, stderr, _ := d.CLI("doctor", append([]string{"--json"}, args...)...) // it fails if it finds anything
	var report struct{ Findings []finding }
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("doctor: %v\n%s%s", err, out, stderr)
	}
	return slices.DeleteFunc(report.Findings, func(f finding) bool { return f.Severity == "note" }) // such as of the guest's clock
}
