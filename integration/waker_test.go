package integration_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// spokeForBoth matches what only a MASTER of either family may say on the
// outside: an advert, or an answer or announcement for a virtual address.
func spokeForBoth(f lab.Frame) bool {
	address, ok := f.Advertises()
	return spokeAsMaster(f) || ok && f.FromHost && isVirtual(address)
}

// A MASTER is stopped for longer than the others wait, again and again. When it runs
// again it sends no advert for any of its virtual routers, and mutes its kernel at
// once, which had gone on answering ARP and neighbour solicitations.
func TestLateWaker(t *testing.T) {
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{IPv6: true, Options: "preempt = false"})
	v := keepVigil(t, p)
	asker := p.Host("asker").Plug(p.Outside, "eth0", "10.0.0.77/24", "2001:db8:a::77/64")
	asker.Repeat(asker.ARPRequest("10.0.0.77", lab.VIP), often)
	asker.Repeat(asker.NeighbourSolicitation("2001:db8:a::77", lab.VIP6), often)
	routers := map[string]byte{"outside": 51, "outside6": 51, "inside": 52, "inside6": 52}
	for round := range rounds(t, 4) {
		sleeper, other := round%2, 1-round%2
		outside, inside := p.Directors[sleeper].Wires["eth0"].Capture(), p.Directors[sleeper].Wires["eth1"].Capture()
		daemons[sleeper].Signal(unix.SIGSTOP)
		daemons[other].AwaitState(t, "MASTER")
		adverts(t, p.Directors[other], 3)
		for name, answer := range map[string]func(lab.Frame) bool{
			"ARP":                    func(f lab.Frame) bool { a, ok := f.ARP(); return ok && f.FromHost && a.Reply },
			"neighbour solicitation": func(f lab.Frame) bool { _, ok := f.Advertises(); return ok && f.FromHost },
		} {
			n := outside.Count(answer)
			outside.Await(t, 5*time.Second, "an answer of the sleeper's kernel to "+name, n+1, answer)
		}
		woken := time.Now()
		daemons[sleeper].Signal(unix.SIGCONT)
		daemons[sleeper].AwaitState(t, "BACKUP")
		adverts(t, p.Directors[other], 10)
		daemons[sleeper].AwaitState(t, "BACKUP")
		var last time.Duration
		for _, f := range outside.Frames(spokeForBoth) {
			last = max(last, f.Time.Sub(woken))
		}
		t.Logf("round %d: last heard of the sleeper %v after it woke", round+1, last)
		if last > promptly {
			t.Errorf("round %d: it spoke as MASTER %v after waking", round+1, last)
		}
		for name, vrid := range routers {
			capture := outside
			if vrid == 52 {
				capture = inside
			}
			six := name[len(name)-1] == '6'
			firstAdvert(t, daemons[sleeper], name, capture.Frames(func(f lab.Frame) bool {
				a, ok := f.Advert()
				return ok && f.FromHost && a.VRID == vrid && a.Source.Is6() == six
			}), woken)
		}
		for _, c := range []*lab.Capture{outside, inside} {
			if err := c.Stop(); err != nil {
				t.Errorf("capture: %v", err)
			}
		}
	}
	v.end(t)
}
