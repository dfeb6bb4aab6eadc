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
		for late := time.After(20 * time.Second); !done(); {
			select {
			case <-recorder.mail.signal:
			case <-late:
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

// startsForever has a resource start that takes an hour.
func startsForever(t *testing.T, early bool) (r *resources, turn func(done func() bool)) {
	t.Helper()
	r, turn = resourcesAlone(t)
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
	return r, turn
}

// A stop of the daemon does not wait for a start that takes long: systemd would kill the
// daemon before the addresses were handed over.
func TestStopEndsStart(t *testing.T) {
	for _, early := range []bool{false, true} {
		r, _ := startsForever(t, early)
		r.withdraw()
		if err := r.stop(); err != nil || r.stateOf("/bin/sleep") != resource.Stopped {
			t.Errorf("early %v: %v, it is %s", early, err, r.stateOf("/bin/sleep"))
		}
	}
}

// A director that is MASTER no more does not wait for a start that takes long: the new
// MASTER starts the resource too. That is no failure of the resource.
func TestBackupEndsStart(t *testing.T) {
	for _, early := range []bool{false, true} {
		r, turn := startsForever(t, early)
		if early {
			r.gate.order([]speaker.Order{{Router: "v", Verb: vrrp.Mute}})
		} else {
			r.setMaster("v", false)
			r.released(speaker.Order{Router: "v", Seq: 1})
		}
		turn(func() bool { return r.units["v"].chain.Settled() })
		s := r.units["v"].chain.Standings()[0]
		if s.State != resource.Stopped || s.Failures != 0 {
			t.Errorf("early %v: it is %s after %d failures", early, s.State, s.Failures)
		}
	}
}

// A stop of the daemon starts nothing that its addresses would need.
func TestStopStartsNothing(t *testing.T) {
	r, _ := startsForever(t, true)
	r.units["v"].holding["v"] = 1 // a reload gave the resource to a MASTER
	r.withdraw()
	if s := r.units["v"].chain.Standings()[0]; s.State != resource.Stopped || s.Job != "" {
		t.Errorf("it is %s, with the job %q", s.State, s.Job)
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
