package packages

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

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
	m.run("systemctl", "enable", "--now", "holdfast")
	m.awaitProperty("StatusText", "MASTER of outside, inside")
	if after := m.property("After"); !strings.Contains(after, "network.target") {
		t.Errorf("systemd may take the network down first: After=%s", after)
	}
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
	lab.Wait(t, 60*time.Second, "the machine has ended", func() (string, bool) {
		return m.log.LogText(), !m.log.Alive()
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
