package ipvs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

const unchecked = "[service.check]\ntype = \"none\"\n"

// sysctl returns a sysctl of IPVS in the host's network namespace, "" if the kernel does
// not have it.
func sysctl(h *lab.Host, name string) string {
	value, err := h.Try("cat", "/proc/sys/net/ipv4/vs/"+name)
	if err != nil {
		return ""
	}
	return strings.Join(strings.Fields(value), " ")
}

// awaitStatus waits until the text of the status has the part, or has it not if it begins
// with "!".
func awaitStatus(t *testing.T, d *lab.Daemon, part string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "status: "+part, func() (string, bool) {
		text, _, _ := d.CLI("status")
		absent, not := strings.CutPrefix(part, "!")
		return text, strings.Contains(text, absent) != not
	})
}

// Sysctls are set, survive a crash, and go back to what they were before the first run.
// The status names one that the kernel does not have.
func TestSysctls(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	host.Run("ipvsadm", "-Ln") // loads the module
	text := func(sysctls string) string {
		return config(0, "[lvs.sysctl]\n"+sysctls+"\n"+service("web", web, unchecked, rs1))
	}
	former := map[string]string{}
	for _, name := range []string{"expire_nodest_conn", "sync_threshold", "conntrack", "conn_lfactor"} {
		former[name] = sysctl(host, name)
	}
	want := func(when, nodest, threshold, conntrack string) {
		t.Helper()
		lab.Wait(t, 20*time.Second, "the sysctls "+when, func() (string, bool) {
			got := sysctl(host, "expire_nodest_conn") + ", " + sysctl(host, "sync_threshold") + ", " + sysctl(host, "conntrack")
			return got, got == nodest+", "+threshold+", "+conntrack
		})
	}
	daemon := host.Holdfast("reconcile_interval = \"1s\"\n" + text("expire_nodest_conn = 1\nsync_threshold = \"1 20\"\nconn_lfactor = -5"))
	want("at the start", "1", "1 20", former["conntrack"])
	if former["conn_lfactor"] == "" {
		awaitStatus(t, daemon, "UNWELL: lvs: read net.ipv4.vs.conn_lfactor: this kernel does not have it")
	} else if got := sysctl(host, "conn_lfactor"); got != "-5" {
		t.Errorf("conn_lfactor is %s", got)
	}
	host.Run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/vs/expire_nodest_conn")
	want("after another program changed one", "1", "1 20", former["conntrack"])
	daemon.Crash()
	daemon.Configure(text("expire_nodest_conn = 1\nconntrack = 1"))
	daemon.Restart()
	want("after a crash, with another configuration", "1", former["sync_threshold"], "1")
	awaitStatus(t, daemon, "!UNWELL: lvs")
	if status := daemon.Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	want("after the stop", former["expire_nodest_conn"], former["sync_threshold"], former["conntrack"])
}

// The status reports another program's service that is in the way of ours, and a service
// of ours that another program keeps deleting.
func TestOtherProgramsInTheWay(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	every := service("every", lab.VIP+":0", "persistence = \"5m\"\n"+unchecked, "192.168.0.11:0")
	daemon := host.Holdfast("reconcile_interval = \"1s\"\n" + config(0, every+service("web", web, unchecked, rs1)))
	awaitTable(t, host, "-A -t "+web, "-A -t "+lab.VIP+":0")

	host.Run("ipvsadm", "-A", "-t", lab.VIP+":443", "-s", "rr")
	awaitStatus(t, daemon, "UNWELL: service every: an IPVS service of another program gets the packets for port 443")
	host.Run("ipvsadm", "-D", "-t", lab.VIP+":443")
	awaitStatus(t, daemon, "!an IPVS service of another program")

	for i := range 3 {
		awaitStatus(t, daemon, "!another program keeps changing it")
		host.Run("ipvsadm", "-D", "-t", web)
		daemon.Await(t, "a repair", func(s lab.Status) (string, bool) {
			return fmt.Sprintf("%d repairs", s.LVS.Repairs), s.LVS.Repairs >= uint64(2*(i+1))
		})
	}
	awaitStatus(t, daemon, "UNWELL: service web: another program keeps changing it in the kernel: 3 repairs and more within 10 minutes")
	events, _, err := daemon.CLI("events")
	for _, to := range []string{"found", "gone"} {
		if event := "problem every " + to; !strings.Contains(strings.ReplaceAll(events, "-> ", ""), event) || err != nil {
			t.Errorf("no event %q, %v:\n%s", event, err, events)
		}
	}
}

// Each parameter of services and servers reaches the kernel, and the status shows what the
// kernel holds.
func TestParametersReachTheKernel(t *testing.T) {
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	sh := strings.Replace(service("sh", lab.VIP+":81", "scheduler_flags = [\"sh-port\", \"sh-fallback\"]\n"+unchecked, "192.168.0.11:81"), `"rr"`, `"sh"`, 1)
	sip := service("sip", lab.VIP+":5060", "protocol = \"udp\"\npersistence = \"5m\"\npersistence_prefix = 24\npersistence_engine = \"sip\"\n"+unchecked, "192.168.0.11:5060")
	dns := service("dns", lab.VIP+":53", "protocol = \"udp\"\none_packet = true\n"+unchecked, "192.168.0.11:53")
	far := service("far", lab.VIP+":82", "forward = \"tun\"\n"+unchecked) +
		"[[service.server]]\naddress = \"203.0.113.11:82\"\ntunnel = \"gue\"\ntunnel_port = 5555\ntunnel_checksum = \"remote\"\nweight = 65535\nupper_threshold = 100\nlower_threshold = 50\n" +
		"[[service.server]]\naddress = \"203.0.113.12:82\"\ntunnel = \"gre\"\ntunnel_checksum = \"outer\"\n" +
		"[[service.server]]\naddress = \"[2001:db8::1]:82\"\n"
	daemon := start(t, p, sh+sip+dns+far)[0]
	awaitTable(t, host,
		"-A -t "+lab.VIP+":81 -s sh -b sh-fallback,sh-port",
		"-A -u "+lab.VIP+":5060 -s rr -p 300 -M 255.255.255.0 --pe sip",
		"-A -u "+lab.VIP+":53 -s rr -o",
		"-r 203.0.113.11:82 -i -w 65535 --tun-type gue --tun-port 5555 --tun-remcsum",
		"-r 203.0.113.12:82 -i -w 1 --tun-type gre --tun-csum",
		"-r [2001:db8::1]:82 -i -w 1",
	)
	thresholds := host.Run("ipvsadm", "-Ln", "--thresholds")
	if !strings.Contains(strings.Join(strings.Fields(thresholds), " "), "203.0.113.11:82 100 50") {
		t.Errorf("thresholds:\n%s", thresholds)
	}
	for _, part := range []string{
		"sh-fallback, sh-port", "persistence 5m0s, by /24, engine sip", "one packet",
		"tunnel gue, port 5555, remote checksum, thresholds 100 and 50", "tunnel gre, outer checksum", "[2001:db8::1]:82",
	} {
		awaitStatus(t, daemon, part)
	}
}
