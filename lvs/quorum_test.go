package lvs_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

// farm returns a service with servers a, b, c ... of the given weights and a fallback.
func farm(weights ...int) lvs.ServiceConfig {
	c := lvs.ServiceConfig{Name: "web", Service: tcp("10.0.0.1:80"), Fallbacks: []netip.AddrPort{ap("192.168.0.1:80"), ap("192.168.0.2:80")}}
	for i, w := range weights {
		name := string(rune('a' + i))
		c.Servers = append(c.Servers, lvs.ServerConfig{Name: name, Server: nat(fmt.Sprintf("192.168.0.%d:80", 11+i), w)})
	}
	return c
}

// serving returns what of a farm is in the table: "a5 b0 1 2" is server a with weight
// 5, server b with weight 0 and both fallbacks.
func serving(table *lvs.Table) string {
	var in []string
	for _, s := range table.Wanted()[0].Servers {
		if last := s.Address.Addr().As4()[3]; last < 11 {
			in = append(in, fmt.Sprint(last))
		} else {
			in = append(in, fmt.Sprintf("%c%d", 'a'+last-11, s.Weight))
		}
	}
	return strings.Join(in, " ")
}

// A story is a list of words: "a+" and "a-" are checks of server a, "a=3" is a weight
// by an operator, "a!" drains and "a?" enables it.
func tell(t *testing.T, table *lvs.Table, now time.Time, story string) lvs.Changes {
	t.Helper()
	for word := range strings.FieldsSeq(story) {
		ref := lvs.Ref{Service: "web", Server: word[:1]}
		switch word[1] {
		case '+':
			table.SetHealth(ref, lvs.Up)
		case '-':
			table.SetHealth(ref, lvs.Down)
		case '!':
			must(t, table.Drain(ref, order))
		case '?':
			must(t, table.Enable(ref))
		case '=':
			must(t, table.SetWeight(ref, int(word[2]-'0'), order))
		}
	}
	return table.Step(now)
}

var start = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// Each step tells something and expects the health of the service, a change of it
// ("!" after it), and what is in the table.
func TestQuorum(t *testing.T) {
	tests := []struct {
		name   string
		change func(*lvs.ServiceConfig)
		steps  [][2]string
	}{
		{"one server is enough by default", nil, [][2]string{
			{"", "unknown: 1 2"},
			{"a-", "unknown: 1 2"},
			{"b+", "up!: b1"},
			{"b-", "up: 1 2"}, // c could still be up
			{"c-", "down!: 1 2"},
			{"a+", "up!: a1"},
			{"a!", "down!: 1 2 a0"},
			{"a?", "up!: a1"},
		}},
		{"two are needed", func(c *lvs.ServiceConfig) { c.Quorum = 2 }, [][2]string{
			{"a+", "unknown: 1 2"},
			{"b+", "up!: a1 b1"},
			{"a-", "up: 1 2"},
			{"c-", "down!: 1 2"},
			{"c+", "up!: b1 c1"},
			{"b=0", "down!: 1 2 b0"},
			{"c=2", "up!: b0 c2"},
		}},
		{"down servers are quiesced", func(c *lvs.ServiceConfig) { c.Quorum, c.OnDown = 2, lvs.Quiesce }, [][2]string{
			{"a+ b+ c-", "up!: a1 b1 c0"},
			{"a-", "down!: 1 2 a0 b0 c0"},
			{"c+", "up!: a0 b1 c1"},
		}},
		{"hysteresis", func(c *lvs.ServiceConfig) { c.Quorum, c.Hysteresis = 2, 1 }, [][2]string{
			{"a+ b+ c-", "down!: 1 2"},
			{"c+", "up!: a1 b1 c1"},
			{"a-", "up: b1 c1"},
			{"b-", "up: c1"},
			{"c-", "down!: 1 2"},
			{"a+ b+", "down: 1 2"},
		}},
		{"none of it counts at 0", func(c *lvs.ServiceConfig) { c.Quorum, c.Hysteresis = 3, 2 }, [][2]string{
			{"a=5 a+ b- c-", "up!: a5"},
			{"a=1", "up: a1"},
			{"a=0", "down!: 1 2 a0"},
		}},
		{"without a fallback the servers that are up serve", func(c *lvs.ServiceConfig) { c.Quorum, c.Fallbacks = 2, nil }, [][2]string{
			{"a+", "unknown: a1"},
			{"b- c-", "down!: a1"},
			{"b+", "up!: a1 b1"},
		}},
		{"a drained server keeps its connections when the quorum is lost", func(c *lvs.ServiceConfig) { c.Quorum = 2 }, [][2]string{
			{"a+ b+ c+", "up!: a1 b1 c1"},
			{"a!", "up: a0 b1 c1"},
			{"b-", "down!: 1 2 a0"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			config := farm(1, 1, 1)
			if tt.change != nil {
				tt.change(&config)
			}
			table := table(t, config)
			for i, step := range tt.steps {
				changed := ""
				if len(tell(t, table, start, step[0]).Services) > 0 {
					changed = "!"
				}
				got := fmt.Sprintf("%v%s: %s", table.ServiceHealth("web"), changed, serving(table))
				if got != step[1] {
					t.Fatalf("step %d %q: %s, want %s", i+1, step[0], got, step[1])
				}
			}
		})
	}
}

// What Step reports says what was and how much weight there is.
func TestServiceChange(t *testing.T) {
	table := table(t, farm(3, 4))
	got := tell(t, table, start, "a+").Services
	got = append(got, tell(t, table, start, "b+").Services...)
	got = append(got, tell(t, table, start, "a- b-").Services...)
	want := []lvs.ServiceChange{
		{Service: "web", Was: lvs.Unknown, Now: lvs.Up, Weight: 3},
		{Service: "web", Was: lvs.Up, Now: lvs.Down, Weight: 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A restart with servers in use does not need the weight that a first start needs; a
// reload that replaces all servers does not take the service down.
func TestQuorumIsKept(t *testing.T) {
	config := farm(1, 1, 1)
	config.Quorum, config.Hysteresis = 2, 1
	restarted := table(t, config)
	restarted.Adopt([]lvs.Wanted{wanted(config.Service, nat("192.168.0.11:80", 1))})
	restarted.Step(start)
	if got := serving(restarted); got != "a1" || restarted.ServiceHealth("web") != lvs.Up {
		t.Errorf("after a restart: %s, %v", got, restarted.ServiceHealth("web"))
	}
	other := config
	other.Servers = farm(0, 0, 0, 1, 1).Servers[3:]
	must(t, restarted.Configure([]lvs.ServiceConfig{other}))
	if changes := restarted.Step(start).Services; len(changes) > 0 {
		t.Errorf("after a reload with servers that nobody has checked: %v", changes)
	}
	if got := serving(restarted); got != "1 2" {
		t.Errorf("nobody serves meanwhile but %s", got)
	}
	tell(t, restarted, start, "d+")
	if got := serving(restarted); got != "d1" {
		t.Errorf("the first new server is up: %s", got)
	}
	upgraded := lvs.NewTable()
	upgraded.Recall(restarted.Memory())
	must(t, upgraded.Configure([]lvs.ServiceConfig{other}))
	if h := upgraded.ServiceHealth("web"); h != lvs.Up {
		t.Errorf("after an upgrade the service is %v", h)
	}
	if changes := tell(t, upgraded, start, "d+").Services; len(changes) > 0 {
		t.Errorf("an upgrade reports %v", changes)
	}
}

// A walk through random checks, orders and reloads. At every moment between two
// changes of the kernel a service that can serve has a server with weight.
func TestNeverWithoutDestination(t *testing.T) {
	for seed := range uint64(40) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		config := farm(1, 2, 3, 4)
		config.Quorum, config.SlowStart = 1+g.IntN(6), time.Duration(g.IntN(3))*10*time.Second
		config.Hysteresis = g.IntN(config.Quorum)
		config.OnDown = lvs.OnDown(g.IntN(2))
		table := table(t, config)
		var kernel lvstest.Fake
		applier := lvs.NewApplier(&kernel, nil, nil)
		served := false
		kernel.Fail = func(op lvs.Op) error {
			have, _ := kernel.Dump()
			if now := usable(have)[config.Service.Key]; served && !now {
				t.Errorf("seed %d: nobody serves before %v", seed, op)
			} else {
				served = now
			}
			return nil
		}
		now := start
		for range 200 {
			word := fmt.Sprintf("%c%c", 'a'+g.IntN(4), "+++---!?"[g.IntN(8)])
			if g.IntN(8) == 0 {
				word = fmt.Sprintf("%c=%d", 'a'+g.IntN(4), g.IntN(8))
			}
			now = now.Add(time.Duration(g.IntN(5000)) * time.Millisecond)
			tell(t, table, now, word)
			if _, err := applier.Apply(table.Keys(), table.Wanted()); err != nil {
				t.Fatal(err)
			}
			have, _ := kernel.Dump()
			if !usable(have)[config.Service.Key] {
				t.Fatalf("seed %d: nobody serves after %s: %s", seed, word, serving(table))
			}
			if fallback, servers := strings.HasPrefix(serving(table), "1 2"), strings.ContainsAny(strings.TrimPrefix(serving(table), "1 2"), "12345678"); fallback == servers {
				t.Fatalf("seed %d: after %s serve %s", seed, word, serving(table))
			}
		}
	}
}
