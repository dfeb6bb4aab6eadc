package integration_test

import (
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// With redundant paths a MASTER is watched on each of them. One path that breaks takes
// nothing from the BACKUP, and a MASTER that dies then is replaced at once by the other.
func TestFastPaths(t *testing.T) {
	for name, c := range map[string]struct {
		version int
		options string
		also    [2]string // of each director
		broken  string    // the path that breaks
	}{
		"multicast":        {3, "", [2]string{}, "eth1"},
		"unicast and hmac": {3, secretHMAC, [2]string{"unicast = true\npeers = [\"192.168.0.3\"]\n", "unicast = true\npeers = [\"192.168.0.2\"]\n"}, "eth0"},
		"version 2 and AH": {2, secretAH, [2]string{}, "eth0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			var d [2]*lab.Daemon
			for i, host := range p.Directors {
				config := twoPaths(c.version, 200-100*i, "fast = true\n"+c.options, c.also[i])
				d[i] = host.Holdfast(patientSessions + strings.Replace(config, "100ms", "1s", 1))
				d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
			}
			awaitArmed(t, d[1])
			awaitText(t, d[0], "fast: watched by 10.0.0.3 192.168.0.3")
			from := transitions(t, d[0]) + transitions(t, d[1])
			p.Directors[1].Wires[c.broken].BlackHole()
			pathProblems(t, d[1], c.broken)
			if all, err := fastViews(d[1]); err != nil || !all[0].Armed {
				t.Errorf("with %s broken it is not armed: %+v %v", c.broken, all, err)
			}
			if moved := transitions(t, d[0]) + transitions(t, d[1]) - from; moved != 0 {
				t.Errorf("%d transitions", moved)
			}
			p.Directors[0].PowerCut()
			d[1].AwaitState(t, "MASTER")
			checkReplacedAtOnce(t, d[1], 1)
		})
	}
}
