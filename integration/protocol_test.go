package integration_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// waited is the time from the outer virtual router's last becoming BACKUP to
// its becoming MASTER.
func waited(t *testing.T, d *lab.Daemon) time.Duration {
	t.Helper()
	var began, ended time.Time
	for _, e := range events(t, d, 0).Of("instance") {
		switch e.To {
		case "BACKUP":
			began = e.At
		case "MASTER":
			ended = e.At
		}
	}
	if began.IsZero() || !ended.After(began) {
		t.Fatalf("no way from BACKUP to MASTER:\n%v", events(t, d, 0))
	}
	return ended.Sub(began)
}

// An instance waits as long as its configuration says before it becomes MASTER.
func TestWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, option string
		atLeast      time.Duration
		cut          bool // the link goes and comes again
	}{
		{"as the protocol says", "", 3 * fast, false},
		{"start_delay", `start_delay = "1s"`, time.Second, false},
		{"link_delay", `link_delay = "1s"`, time.Second, true},
		{"down_after", `down_after = 8`, 8 * fast, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 1)
			d := p.Directors[0].Holdfast(outside(3, 200, c.option))
			d.AwaitState(t, "MASTER")
			if c.cut {
				p.Directors[0].Wires["eth0"].Cut()
				d.AwaitState(t, "FAULT")
				p.Directors[0].Wires["eth0"].Replug()
				d.AwaitState(t, "MASTER")
			}
			if took := waited(t, d); took < c.atLeast {
				t.Errorf("MASTER after %v, want %v", took, c.atLeast)
			}
		})
	}
}

// If two directors have priority 255, one gives way and only the other sends
// adverts.
func TestTwoOwners(t *testing.T) {
	t.Parallel()
	for _, version := range []int{2, 3} {
		t.Run(fmt.Sprintf("v%d", version), func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			var daemons []*lab.Daemon
			for _, h := range p.Directors {
				daemons = append(daemons, h.Holdfast(outside(version, 255, "")))
			}
			daemons[0].AwaitState(t, "BACKUP")
			daemons[1].AwaitState(t, "MASTER") // the higher address
			onlySpeaker(t, p, 1)
			daemons[0].AwaitState(t, "BACKUP")
		})
	}
}

// counted waits until the status as JSON shows a count.
func counted(t *testing.T, d *lab.Daemon, pattern func(text string) bool) {
	t.Helper()
	lab.Wait(t, 20*time.Second, "the count", func() (string, bool) {
		text, _, _ := d.CLI("status", "--json")
		return text, pattern(text)
	})
}

// Adverts with another list of addresses are accepted and counted, or dropped.
func TestOtherAddresses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, option string
		state        string
		count        func(text string) bool
	}{
		{"counted", "", "BACKUP", func(text string) bool {
			return strings.Contains(text, `"address_mismatch":`) && !strings.Contains(text, `"address_mismatch": 0`) && !strings.Contains(text, `"address_mismatch":0`)
		}},
		{"dropped", `address_check = "drop"`, "MASTER", func(text string) bool { return strings.Contains(text, `"addresses":`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			other := strings.Replace(outside(3, 200, ""), lab.VIP, "10.0.0.101", 1)
			p.Directors[1].Holdfast(other).AwaitState(t, "MASTER")
			d := p.Directors[0].Holdfast(outside(3, 100, c.option))
			counted(t, d, c.count)
			d.AwaitState(t, c.state)
		})
	}
}

// A peer's adverts are accepted if their TTL is in the range configured for it.
func TestPeerTTL(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limits string
		state  string
	}{
		{"", "BACKUP"},
		{", min_ttl = 200, max_ttl = 254", "MASTER"}, // came from too near
		{", min_ttl = 1", "BACKUP"},
	} {
		t.Run("limits"+strings.NewReplacer(" ", "", ",", "-", "=", "").Replace(c.limits), func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			p.Directors[1].Holdfast(outside(3, 200, "unicast = true\npeers = [\"10.0.0.2\"]")).AwaitState(t, "MASTER")
			d := p.Directors[0].Holdfast(outside(3, 100, fmt.Sprintf("unicast = true\npeers = [{ address = \"10.0.0.3\"%s }]", c.limits)))
			if c.state == "MASTER" {
				counted(t, d, func(text string) bool { return strings.Contains(text, `"hop_limit":`) })
			} else {
				adverts(t, p.Directors[1], 6)
			}
			d.AwaitState(t, c.state)
		})
	}
}

// Both forms of the version 3 checksum over IPv4 are accepted, whichever one is
// sent.
func TestChecksumForms(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	one := p.Directors[0].Holdfast(outside(3, 200, `checksum = "rfc9568"`))
	one.AwaitState(t, "MASTER")
	two := p.Directors[1].Holdfast(outside(3, 100, ""))
	two.AwaitState(t, "BACKUP")
	adverts(t, p.Directors[0], 6)
	two.Configure(outside(3, 250, ""))
	if err := two.Reload(); err != nil {
		t.Fatal(err)
	}
	two.AwaitState(t, "MASTER")
	one.AwaitState(t, "BACKUP")
	adverts(t, p.Directors[1], 6)
	accepted(t, one)
	accepted(t, two)
}
