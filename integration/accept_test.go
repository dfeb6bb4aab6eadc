package integration_test

import (
	"testing"
	"time"

	"github.com/google/nftables"

	"holdfast/integration/lab"
)

// With accept = false a director answers ARP for its virtual addresses and forwards
// packets for their MAC, but takes no packet for itself. That holds through a
// failover, a handover, an upgrade, `nft flush ruleset` and a crash.
func TestAcceptMode(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	daemons := directors(t, p, lab.Director{IPv6: true, Options: "accept = false\n"})
	// Its own addresses answer all the time, and what goes through it passes.
	p.Router.Route("192.168.0.0/24", lab.VIP)
	own := p.Router.Probe("10.0.0.2", 2*time.Millisecond)
	through := p.Realservers[0].Probe(lab.RouterIP, 2*time.Millisecond)
	refused := map[string]*lab.Probe{}
	for _, address := range []string{lab.VIP, lab.VIP6} {
		refused[address] = p.Router.Probe(address, 5*time.Millisecond)
	}
	resolves := func(what string) {
		t.Helper()
		p.Router.FlushNeighbours()
		for address, mac := range map[string]lab.MAC{lab.VIP: lab.VirtualMAC(51), lab.VIP6: lab.VirtualMAC6(51)} {
			lab.Wait(t, 10*time.Second, what+": "+address+" resolves", func() (string, bool) {
				got, ok := p.Router.Resolve(address)
				return got.String(), ok && got == mac
			})
		}
		through.AwaitAnswers(t, 20*time.Second, 20)
	}
	resolves("MASTER")
	own.AwaitAnswers(t, 20*time.Second, 20)

	// What somebody flushes comes back; until then, something may be answered.
	for _, probe := range refused {
		if tally := probe.Stop(); tally.Lost != tally.Sent {
			t.Errorf("%d of %d packets for an address that is not accepted were answered", tally.Sent-tally.Lost, tally.Sent)
		}
	}
	flush(t, p.Directors[0])
	lab.Wait(t, 10*time.Second, "the rules come back", func() (string, bool) {
		names := ourTables(t, p.Directors[0])
		return names, names != ""
	})

	refused[lab.VIP] = p.Router.Probe(lab.VIP, 5*time.Millisecond)
	if _, stderr, err := daemons[0].CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v\n%s", err, stderr)
	}
	daemons[0].AwaitState(t, "MASTER")
	resolves("upgraded")
	if _, stderr, err := daemons[0].CLI("handover"); err != nil {
		t.Fatalf("handover: %v\n%s", err, stderr)
	}
	daemons[1].AwaitState(t, "MASTER")
	resolves("handed over")
	daemons[1].Crash()
	if _, stderr, err := daemons[1].CLI("release"); err != nil {
		t.Fatalf("release: %v\n%s", err, stderr)
	}
	daemons[0].AwaitState(t, "MASTER")
	resolves("released")
	if names := ourTables(t, p.Directors[1]); names != "" {
		t.Errorf("left after a release: %s", names)
	}
	if tally := refused[lab.VIP].Stop(); tally.Lost != tally.Sent {
		t.Errorf("%d of %d packets for an address that is not accepted were answered", tally.Sent-tally.Lost, tally.Sent)
	}
	through.Stop()
	own.Stop()
	if status := daemons[0].Stop(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	if names := ourTables(t, p.Directors[0]); names != "" {
		t.Errorf("left after a stop: %s", names)
	}
}

// ourTables names holdfast's tables of nftables on a host.
func ourTables(t *testing.T, h *lab.Host) string {
	t.Helper()
	names := ""
	err := h.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		tables, err := c.ListTables()
		for _, table := range tables {
			names += table.Name + " "
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// flush is `nft flush ruleset`.
func flush(t *testing.T, h *lab.Host) {
	t.Helper()
	err := h.Do(func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	})
	if err != nil {
		t.Fatal(err)
	}
}
