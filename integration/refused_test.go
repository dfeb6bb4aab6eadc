package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A refusedSpeaker is one of the routers whose adverts a director refuses, as its
// status shows them.
type refusedSpeaker struct {
	Address    string    `json:"address"`
	Reason     string    `json:"reason"`
	Since      time.Time `json:"since"`
	LastHeard  time.Time `json:"last_heard"`
	Count      int       `json:"count"`
	Advertises bool      `json:"advertises"`
}

func refusedBy(t *testing.T, d *lab.Daemon) []refusedSpeaker {
	t.Helper()
	var s struct {
		VRRP []struct {
			Refused []refusedSpeaker `json:"refused_speakers"`
		} `json:"vrrp"`
	}
	if err := d.StatusInto(&s); err != nil {
		t.Fatal(err)
	}
	return s.VRRP[0].Refused
}

// awaitUnwell waits until the status of a director says that it is unwell, with a
// text, and for no other reason.
func awaitUnwell(t *testing.T, d *lab.Daemon, want ...string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, fmt.Sprintf("%s is unwell: %q", d.Name, want), func() (string, bool) {
		text, _, err := d.CLI("status")
		ok := err != nil && strings.Count(text, "UNWELL") == 1
		for _, w := range want {
			ok = ok && strings.Contains(text, w)
		}
		return text, ok
	})
}

// awaitWell waits until the status of a director finds nothing amiss.
func awaitWell(t *testing.T, d *lab.Daemon) {
	t.Helper()
	lab.Wait(t, 20*time.Second, d.Name+" is well", func() (string, bool) {
		text, _, err := d.CLI("status")
		return text, err == nil
	})
}

// Of three directors the third is not in the lists of the others: both it and the
// first are MASTER. The first says so, names the third and the reason, and so do its
// events. The BACKUP shows it too. A reload that adds the third ends all of that.
func TestUnlistedUnicastPeer(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 3)
	own := []string{"10.0.0.2", "10.0.0.3", "10.0.0.4"}
	config := func(i int, peers ...string) string {
		var others []string
		for _, a := range peers {
			if a != own[i] {
				others = append(others, fmt.Sprintf("%q", a))
			}
		}
		return outside(3, []int{200, 100, 150}[i], "unicast = true\npeers = ["+strings.Join(others, ", ")+"]")
	}
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		peers := own[:2]
		if i == 2 {
			peers = own
		}
		daemons = append(daemons, host.Holdfast(config(i, peers...)))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP", "MASTER"}[i])
	}
	first := daemons[0]
	awaitUnwell(t, first, "vrrp outside: 10.0.0.4 advertises as MASTER too, but its adverts are refused: it is not one of the configured peers")
	for _, d := range daemons[:2] {
		list := refusedBy(t, d)
		if len(list) != 1 || list[0].Address != own[2] || list[0].Reason != "peer" || !list[0].Advertises || list[0].Count < 3 ||
			list[0].Since.IsZero() || !list[0].LastHeard.After(list[0].Since) {
			t.Errorf("%s refuses %+v", d.Name, list)
		}
	}
	if text, _, err := daemons[1].CLI("status"); err != nil || !strings.Contains(text, "10.0.0.4 with priority 150") {
		t.Errorf("the BACKUP is unwell, or does not show whom it refuses: %v\n%s", err, text)
	}

	for i, d := range daemons[:2] {
		d.Configure(config(i, own...))
		if err := d.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	daemons[2].AwaitState(t, "BACKUP")
	for _, d := range daemons {
		awaitWell(t, d)
	}
	// An advert of the third that is accepted before it yields makes it a rival too,
	// for an interval.
	rivals := slices.DeleteFunc(events(t, first, 0).Of("rival"), func(e lab.Event) bool { return e.Detail["refused"] == "" })
	if len(rivals) != 2 || rivals[0].To != "seen" || rivals[1].To != "gone" ||
		rivals[0].Detail["address"] != own[2] || rivals[0].Detail["refused"] != "peer" || rivals[0].Detail["priority"] != "150" {
		t.Errorf("events of the rival: %v", rivals)
	}
	if rivals := events(t, daemons[1], 0).Of("rival"); len(rivals) != 0 {
		t.Errorf("a BACKUP has rivals: %v", rivals)
	}
}

// Two directors that refuse each other's adverts are both MASTER. Both say whom they
// refuse, and why.
func TestRefusedAdverts(t *testing.T) {
	t.Parallel()
	key := func(digit string) string {
		return fmt.Sprintf("auth = { type = \"hmac\", keys = [{ id = 1, secret = %q }] }", strings.Repeat(digit, 32))
	}
	for _, c := range []struct {
		name    string
		configs [2]string
		reasons [2]string
	}{
		{"version", [2]string{outside(3, 200, ""), outside(2, 100, "")}, [2]string{"they are not of version 3", "they are not of version 2"}},
		{
			"interval", [2]string{outside(2, 200, ""), strings.Replace(outside(2, 100, ""), `interval = "1s"`, `interval = "2s"`, 1)},
			[2]string{"their interval is 2s, and 1s is configured here", "their interval is 1s, and 2s is configured here"},
		},
		{"key", [2]string{outside(3, 200, key("1")), outside(3, 100, key("2"))}, [2]string{"their authentication is wrong", "their authentication is wrong"}},
		{"no key", [2]string{outside(3, 200, key("1")), outside(3, 200, "peers = [\"10.0.0.77\"]")}, [2]string{"they are not authenticated", "it is not one of the configured peers"}},
		{
			"address list", [2]string{
				outside(3, 200, "address_check = \"drop\""),
				strings.Replace(outside(3, 100, "address_check = \"drop\""), lab.VIP+"/24\"", lab.VIP+"/24\", \"10.0.0.199/24\"", 1),
			}, [2]string{"they list other addresses", "they list other addresses"},
		},
		{
			"TTL", [2]string{
				outside(3, 150, "unicast = true\npeers = [\"10.0.0.3\"]"),
				outside(3, 200, "unicast = true\nttl = 64\npeers = [\"10.0.0.2\"]"),
			}, [2]string{"the TTL or hop limit is too low", "MASTER too"}, // the second accepts the first
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			var daemons []*lab.Daemon
			for i, host := range p.Directors {
				daemons = append(daemons, host.Holdfast(c.configs[i]))
				daemons[i].AwaitState(t, "MASTER")
			}
			for i, d := range daemons {
				awaitUnwell(t, d, fmt.Sprintf("10.0.0.%d ", 3-i), c.reasons[i])
			}
		})
	}
}
