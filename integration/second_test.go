package integration_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A second daemon in a network namespace is refused, and so is a release with another
// runtime folder, whether or not the first daemon's process still answers.
func TestSecondDaemon(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	first := directors(t, p, lab.Director{})[0]
	v := keepVigil(t, p)
	const complaint = "another holdfast is running in this network namespace"
	second := first.Second("[[vrrp]]\nname = \"other\"\ninterface = \"eth0\"\nvrid = 99\naddresses = [\"10.0.0.99/24\"]\n")
	rejected := func() {
		t.Helper()
		second.Restart()
		if status := second.Wait(20 * time.Second); status != 1 || !strings.Contains(second.LogText(), complaint) {
			t.Errorf("the second daemon ended with status %d:\n%s", status, second.LogText())
		}
		if text := refused(t, second, "release"); !strings.Contains(text, complaint) {
			t.Errorf("release says %q", text)
		}
	}
	own := mark(t, first)
	rejected()
	stayed(t, "the first daemon", first, own)
	obeyed(t, first, "upgrade")
	first.AwaitState(t, "MASTER")
	rejected()
	v.end(t)

	first.Crash()
	obeyed(t, first, "release")
	second.Restart()
	second.AwaitState(t, "MASTER")
}
