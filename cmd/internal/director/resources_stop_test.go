package director

import (
	"slices"
	"testing"
	"time"

	"holdfast/cmd/internal/resource"
	"holdfast/conf"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// resourcesAlone returns the resources of a director that has nothing else. turn runs
// the loop until done.
func resourcesAlone(t *testing.T) (r *resources, turn func(done func() bool)) {
	t.Helper()
	b, recorder := alone(t)
	gate := newClaimGate()
	gate.pass = func([]speaker.Order) {}
	r = newResources(b, t.TempDir(), gate)
	t.Cleanup(r.close)
	turn = func(done func() bool) {
		t.Helper()
		for late := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatal("it takes too long")
			}
			for _, f := range recorder.mail.take() {
				f()
			}
		}
	}
	r.workUntil = func(done func() bool, _ time.Duration) bool { turn(done); return true }
	return r, turn
}

// resourcesConf is a configuration with the virtual router "v", which has resources that
// start with one program each.
func resourcesConf(start ...string) *conf.Config {
	c := &conf.Config{VRRP: make([]conf.Instance, 1)}
	c.VRRP[0].Name = "v"
	for _, name := range start {
		c.VRRP[0].Resources = append(c.VRRP[0].Resources, conf.Resource{
			Name: name, Kind: conf.ResourceCommand, Start: conf.Command{Argv: []string{name, "1000"}},
			StartTimeout: time.Hour, StopTimeout: time.Second,
		})
	}
	return c
}

func (r *resources) stateOf(name string) resource.State {
	for _, u := range r.units {
		for _, s := range u.chain.Standings() {
			if s.Name == name {
				return s.State
			}
		}
	}
	return ""
}

// A stop of the daemon does not wait for a start that takes long: systemd would kill the
// daemon before the addresses were handed over.
func TestStopEndsStart(t *testing.T) {
	for _, early := range []bool{false, true} {
		r, turn := resourcesAlone(t)
		c := resourcesConf("/bin/sleep")
		if early {
			c.VRRP[0].Resources[0].Before = conf.ResourceBeforeAddresses
		}
		r.apply(c)
		if early {
			r.gate.order([]speaker.Order{{Router: "v", Verb: vrrp.Claim}})
		} else {
			r.setMaster("v", true)
		}
		turn(func() bool {
			return slices.ContainsFunc(r.units["v"].chain.Save(), func(s resource.Saved) bool { return s.Action == resource.Start }) &&
				r.units["v"].jobs["/bin/sleep"].PID != 0
		})
		r.withdraw()
		if err := r.stop(); err != nil || r.stateOf("/bin/sleep") != resource.Stopped {
			t.Errorf("early %v: %v, it is %s", early, err, r.stateOf("/bin/sleep"))
		}
	}
}

// A member that a reload takes out of a group does not keep the group's resources.
func TestMemberThatLeavesKeepsNothing(t *testing.T) {
	u := &unitResources{members: []string{"a"}, claims: map[string]speaker.Order{"b": {}}, holding: map[string]uint64{"a": 1, "b": 2}}
	u.forgetOthers()
	if len(u.claims) != 0 || len(u.holding) != 1 {
		t.Errorf("it knows of claims %v, addresses %v", u.claims, u.holding)
	}
}
