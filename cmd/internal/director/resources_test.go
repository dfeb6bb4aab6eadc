package director

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/resource"
	"holdfast/conf"
	"holdfast/vrrp"
)

// A reload gives resources to a group that is MASTER, takes them away, and gives them
// again: they start and stop at once, not at the next change of mastership.
func TestResourcesComeWithAReload(t *testing.T) {
	b := base{
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), publish: func(event.Event) {},
		post: func(f func()) {}, spawn: func(func()) {}, // what is begun never ends
	}
	with := func(list ...conf.Resource) *conf.Config {
		return &conf.Config{
			VRRP:   []conf.Instance{{Config: vrrp.Config{Name: "outside"}}},
			Groups: []conf.Group{{Name: "director", Members: []string{"outside"}, Resources: list}},
		}
	}
	job := conf.Resource{Name: "job", Kind: conf.ResourceCommand, Start: conf.Command{Argv: []string{"/bin/true"}}}
	r := newResources(b, t.TempDir(), newClaimGate())
	r.apply(with())
	state := func() resource.State { return r.units["director"].chain.Standings()[0].State }

	r.setMaster("director", true)
	r.apply(with(job))
	if state() != resource.Starting {
		t.Fatalf("with a reload of a MASTER: %s", state())
	}
	r.units["director"].chain.Done(time.Now(), "")
	r.apply(with())
	r.units["director"].chain.Done(time.Now(), "")
	r.stepAll()
	if len(r.units) != 0 {
		t.Fatalf("without resources there are still %d units", len(r.units))
	}
	r.apply(with(job))
	if state() != resource.Starting {
		t.Errorf("with the next reload: %s", state())
	}
	r.setMaster("director", false)
	r.apply(with())
	r.units["director"].chain.Done(time.Now(), "")
	r.stepAll()
	r.units["director"].chain.Done(time.Now(), "")
	r.stepAll()
	r.apply(with(job))
	if state() != resource.Stopped {
		t.Errorf("with a reload of a BACKUP: %s", state())
	}
}
