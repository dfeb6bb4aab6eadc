package integration_test

import (
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A reload that changes groups causes no transition: the MASTER stays MASTER of the
// routers that remain, and the other director does not notice. A new member becomes
// MASTER with the rest of its group.
func TestReloadChangesGroups(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	macs := watchMACs(p, false)
	daemons := directors(t, p, lab.Director{})
	load := startTraffic(t, p, false)
	adverts, other := p.Directors[0].Wires["eth0"].Capture(), p.Directors[1].Wires["eth0"].Capture()
	adverts.Await(t, 20*time.Second, "adverts", 5, lab.Advertised(51))

	third := "[[vrrp]]\nname = \"third\"\ninterface = \"eth0\"\nvrid = 53\npriority = %P\ninterval = \"100ms\"\naddresses = [\"10.0.0.103/24\"]\n"
	group := func(name string, members ...string) string {
		return "[[group]]\nname = \"" + name + "\"\nmembers = [\"" + strings.Join(members, `", "`) + "\"]\n"
	}
	for _, step := range []struct{ name, groups string }{
		{"a new member", third + group("director", "third", "outside", "inside")},
		{"another name", third + group("site", "third", "outside", "inside")},
		{"a lone one", third + group("site", "outside", "inside")},
		{"no group", third},
		{"a member of another", third + group("director", "inside", "third")},
		{"two less", group("director", "outside", "inside")},
	} {
		for i, d := range daemons {
			config, _, _ := strings.Cut(lab.Director{Priority: priorities[i], Interval: fast}.TOML(), "[[group]]")
			d.Configure(config + strings.ReplaceAll(step.groups, "%P", []string{"200", "150"}[i]))
			if err := d.Reload(); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if strings.Contains(step.groups, "third") && i == 0 {
				d.AwaitState(t, "MASTER") // in everything, also in third
				p.Router.Probe("10.0.0.103", 10*time.Millisecond).AwaitAnswers(t, 20*time.Second, 10)
			}
		}
		load.flows(t)
	}
	adverts.Await(t, 20*time.Second, "adverts", adverts.Count(lab.Advertised(51))+5, lab.Advertised(51))

	for name, tally := range load.stop(t) {
		if tally.Lost > 0 {
			t.Errorf("%s: %v", name, tally)
		}
	}
	macs.check(t)
	if n := other.Count(lab.Advertised(51)); n != 0 {
		t.Errorf("the BACKUP took over %d times", n)
	}
	s, err := daemons[0].Status()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.VRRP) != 2 {
		t.Errorf("%d virtual routers are left", len(s.VRRP))
	}
	for _, v := range s.VRRP {
		if v.Counters.Transitions != 2 { // to BACKUP and to MASTER, at the start
			t.Errorf("%s made %d transitions", v.Name, v.Counters.Transitions)
		}
	}
	if links := p.Directors[0].Run("ip", "link"); strings.Contains(links, "vrrp4-53") {
		t.Errorf("the device of who was removed is still there:\n%s", links)
	}
}
