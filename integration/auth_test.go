package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// Adverts with another password are dropped, and the status says why.
func TestWrongPassword(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	mine := p.Directors[0].Holdfast(outside(2, 100, "auth = { type = \"ah\", secret = \"swordfsh\" }"))
	mine.AwaitState(t, "MASTER")
	theirs := p.Directors[1].Holdfast(outside(2, 200, "auth = { type = \"ah\", secret = \"tuna\" }"))
	theirs.AwaitState(t, "MASTER")
	lab.Wait(t, 20*time.Second, "a dropped advert", func() (string, bool) {
		s, err := mine.Status()
		if err != nil {
			return err.Error(), false
		}
		return fmt.Sprint(s.VRRP[0].Counters.Dropped), s.VRRP[0].Counters.Dropped["auth"] > 2
	})
	mine.AwaitState(t, "MASTER")
}

// The HMAC trailer: two directors elect one MASTER in both versions and
// families; keys are changed without a transition, one director after the
// other, by reloads; secrets are neither shown nor logged.
func TestHMAC(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		options lab.Director
	}{
		{"v2", lab.Director{Version: 2, Interval: time.Second}},
		{"v3", lab.Director{Interval: fast}},
		{"v3 with IPv6", lab.Director{Interval: fast, IPv6: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := lab.NewPair(t, 2)
			keys := func(active int) string {
				var list []string
				for id := 1; id <= 2; id++ {
					path := filepath.Join(p.Dir(), fmt.Sprintf("%d.key", id))
					secret := strings.Repeat(fmt.Sprintf("swordfish%d", id), 4)
					if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					list = append(list, fmt.Sprintf("{ id = %d, secret_file = %q }", id, path))
				}
				return fmt.Sprintf("auth = { type = \"hmac\", active_key = %d, keys = [%s] }", active, strings.Join(list, ", "))
			}
			config := func(priority, active int) string {
				options := c.options
				options.Priority, options.Options = priority, keys(active)
				return options.TOML()
			}
			a, b := p.Directors[0].Holdfast(config(200, 1)), p.Directors[1].Holdfast(config(100, 1))
			a.AwaitState(t, "MASTER")
			b.AwaitState(t, "BACKUP")
			before := transitions(t, a) + transitions(t, b)
			wire := p.Router.Wires["eth0"].Capture()
			for i, d := range []*lab.Daemon{a, b} {
				d.Configure(config(200-100*i, 2))
				if err := d.Reload(); err != nil {
					t.Fatal(err)
				}
			}
			wire.Await(t, 20*time.Second, "adverts with the new key", 8, func(f lab.Frame) bool {
				_, ok := f.Advert()
				return ok && f.Bytes[len(f.Bytes)-28] == 1 && f.Bytes[len(f.Bytes)-27] == 2
			})
			if after := transitions(t, a) + transitions(t, b); after != before {
				t.Errorf("%d transitions when the keys were changed", after-before)
			}
			a.Crash()
			b.AwaitState(t, "MASTER")
			a.Restart()
			a.AwaitState(t, "MASTER")
			b.AwaitState(t, "BACKUP")
			for _, d := range []*lab.Daemon{a, b} {
				accepted(t, d)
				showsNoSecret(t, d)
			}
		})
	}
}

func transitions(t *testing.T, d *lab.Daemon) uint64 {
	t.Helper()
	s, err := d.Status()
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for _, v := range s.VRRP {
		sum += v.Counters.Transitions
	}
	return sum
}

func showsNoSecret(t *testing.T, d *lab.Daemon) {
	t.Helper()
	for _, command := range [][]string{{"status", "--json"}, {"events"}, {"config", "show"}, {"plan"}} {
		stdout, stderr, _ := d.CLI(command[0], command[1:]...)
		if stdout == "" && stderr == "" {
			t.Errorf("%v says nothing", command)
		}
		if strings.Contains(stdout+stderr, "swordfish") {
			t.Errorf("%v tells a secret:\n%s%s", command, stdout, stderr)
		}
	}
}

// arrives matches adverts of others.
func arrives(f lab.Frame) bool {
	_, ok := f.Advert()
	return ok && !f.FromHost
}

// The sequence numbers of AH go through an upgrade. With peers they grow faster than the
// clock, from which a new binary would begin: the BACKUP would refuse its adverts, and
// take over.
func TestUpgradeKeepsSequenceNumbers(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	const ah = "auth = { type = \"ah\", secret = \"swordfsh\" }\n"
	peers := []string{`"10.0.0.3"`}
	for i := range 12 {
		peers = append(peers, fmt.Sprintf(`"10.0.0.%d"`, 100+i))
	}
	mine := p.Directors[0].Holdfast(outside(2, 200, ah+"peers = ["+strings.Join(peers, ", ")+"]"))
	other := p.Directors[1].Holdfast(outside(2, 100, ah+"peers = [\"10.0.0.2\"]"))
	wire := p.Directors[1].Wires["eth0"].Capture()
	received := func(more int) {
		t.Helper()
		wire.Await(t, 20*time.Second, "adverts", wire.Count(arrives)+more, arrives)
	}
	mine.AwaitState(t, "MASTER")
	other.AwaitState(t, "BACKUP")
	received(3)
	for _, d := range []*lab.Daemon{mine, other} {
		d.Install(d.Binary())
		obeyed(t, d, "upgrade")
		received(2)
	}
	if s, err := other.Status(); err != nil || s.VRRP[0].Counters.Dropped["replay"] > 0 {
		t.Errorf("adverts were taken for old ones: %v, %v", s.VRRP[0].Counters.Dropped, err)
	}
	mine.AwaitState(t, "MASTER")
	other.AwaitState(t, "BACKUP")
}
