package packages

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// interfaces stands for the service that takes the network down, such as Debian's
// networking.service. On the console it counts the processes of holdfast that are left.
const interfaces = `[Unit]
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/sh -c 'echo "the network goes down beside $(cat /proc/[0-9]*/comm | grep -c holdfast) of holdfast" >/proc/1/fd/2'
`

// reboot reboots a MASTER with fast: systemd stops the daemon before the network, and
// that is a handover. No packet is lost, and no session counts as lost.
func reboot(t *testing.T, m *machine, p *lab.Pair, other *lab.Daemon, deb, secret string) {
	withFast := func(config string) string {
		config = strings.ReplaceAll(config, `interval = "100ms"`, "interval = \"1s\"\nfast = true")
		return "[director.fast]\nmin_tx = \"100ms\"\nmin_rx = \"100ms\"\n" + config
	}
	other.Configure(withFast(configuration(100, secret, "")))
	if err := other.Reload(); err != nil {
		t.Fatal(err)
	}
	m.install(deb)
	m.write("/etc/holdfast/holdfast.toml", "600", []byte("[director]\nname = \"lvs1\"\n"+withFast(configuration(200, "vrrp-key", ""))))
	m.run("systemd-tmpfiles", "--create", "holdfast.conf")
	m.write("/etc/systemd/system/interfaces.service", "644", []byte(interfaces))
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "start", "interfaces")
	m.run("systemctl", "enable", "--now", "holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
	lab.Wait(t, 30*time.Second, "the other director is armed", func() (string, bool) {
		text, _, err := other.CLI("status", "vrrp")
		return text, err == nil && strings.Count(text, "fast: armed with") == 2
	})
	before, err := other.Events(0)
	if err != nil {
		t.Fatal(err)
	}
	probe := p.Router.Probe(lab.VIP, 2*time.Millisecond)
	probe.AwaitAnswers(t, 20*time.Second, 20)
	_, _ = m.try("systemctl", "reboot") // the command may end with the machine
	other.AwaitState(t, "MASTER")
	lab.Wait(t, 60*time.Second, "the network goes down without holdfast", func() (string, bool) {
		text := m.log.LogText()
		return text, strings.Contains(text, "the network goes down beside 0 of holdfast")
	})
	if tally := probe.Stop(); tally.Lost > 0 {
		t.Errorf("during the reboot: %v", tally)
	}
	after, err := other.Events(before.Last())
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range after.Of("instance") {
		if e.To == "MASTER" && !strings.Contains(e.Reason, "gave up (priority 0)") {
			t.Errorf("%s took over because: %s", e.Subject, e.Reason)
		}
	}
	if alarms := after.Of("fast"); len(alarms) > 0 {
		t.Errorf("a planned stop is no matter of fast:\n%v", alarms)
	}
}
