package lvs_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

// web returns a service with two servers and a fallback.
func web() lvs.ServiceConfig {
	return lvs.ServiceConfig{
		Name: "web", Service: tcp("10.0.0.1:80"),
		Servers: []lvs.ServerConfig{
			{Name: "rs1", Server: nat("192.168.0.11:80", 5)},
			{Server: nat("192.168.0.12:80", 3)},
		},
		Fallbacks: []netip.AddrPort{ap("192.168.0.1:8080")},
	}
}

var rs1, rs2 = lvs.Ref{Service: "web", Server: "rs1"}, lvs.Ref{Service: "web", Server: "192.168.0.12:80"}

// order is what a test has of an operator.
var order = lvs.Order{By: "root", At: time.Unix(1000, 0)}

func table(t *testing.T, services ...lvs.ServiceConfig) *lvs.Table {
	t.Helper()
	table := lvs.NewTable()
	if err := table.Configure(services); err != nil {
		t.Fatal(err)
	}
	return table
}

const (
	webLine      = "-A -t 10.0.0.1:80 -s wlc\n"
	rs1Line      = "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 5\n"
	rs1Quiet     = "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 0\n"
	rs2Line      = "-a -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 3\n"
	rs2Quiet     = "-a -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 0\n"
	fallbackLine = "-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 1\n"
)

func TestTableWanted(t *testing.T) {
	quiesce := web()
	quiesce.OnDown = lvs.Quiesce
	bare := web()
	bare.Fallbacks = nil
	eager := web()
	eager.Servers[0].StartsUp = true
	follower := web()
	follower.Active, follower.Follow = lvs.ActiveMaster, "director"
	mapped := web()
	mapped.Service.Key.Address = ap("[::ffff:10.0.0.1]:80")
	mapped.Servers[0].Server.Address = ap("[::ffff:192.168.0.11]:80")

	up := func(refs ...lvs.Ref) func(*testing.T, *lvs.Table) {
		return func(_ *testing.T, table *lvs.Table) {
			for _, ref := range refs {
				table.SetHealth(ref, lvs.Up)
			}
		}
	}
	tests := []struct {
		name   string
		config lvs.ServiceConfig
		do     func(*testing.T, *lvs.Table)
		want   string
	}{
		{name: "before the first check only the fallback", config: web(), want: webLine + fallbackLine},
		{name: "before the first check nothing", config: bare, want: webLine},
		{name: "a server that starts up", config: eager, want: webLine + rs1Line},
		{name: "one up", config: web(), do: up(rs1), want: webLine + rs1Line},
		{name: "both up", config: web(), do: up(rs1, rs2), want: webLine + rs1Line + rs2Line},
		{name: "by address too", config: web(), do: up(lvs.Ref{Service: "web", Server: "192.168.0.11:80"}), want: webLine + rs1Line},
		{name: "IPv4-mapped addresses are IPv4", config: mapped, do: up(rs1), want: webLine + rs1Line},
		{
			name: "down is removed", config: web(), want: webLine + rs2Line,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1, rs2)(t, table)
				table.SetHealth(rs1, lvs.Down)
			},
		}, {
			name: "down is quiesced", config: quiesce, want: webLine + rs1Quiet + rs2Line,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1, rs2)(t, table)
				table.SetHealth(rs1, lvs.Down)
			},
		}, {
			name: "the fallback serves when all are quiesced", config: quiesce, want: webLine + fallbackLine + rs1Quiet + rs2Quiet,
			do: func(t *testing.T, table *lvs.Table) {
				table.SetHealth(rs1, lvs.Down)
				table.SetHealth(rs2, lvs.Down)
			},
		}, {
			name: "the fallback serves when all are drained", config: web(), want: webLine + fallbackLine + rs1Quiet,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				must(t, table.Drain(rs1, order))
			},
		}, {
			name: "drained stays drained through down and up", config: web(), want: webLine + rs1Quiet + rs2Line,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1, rs2)(t, table)
				must(t, table.Drain(rs1, order))
				table.SetHealth(rs1, lvs.Down)
				table.SetHealth(rs1, lvs.Up)
			},
		}, {
			name: "enabled again", config: web(), want: webLine + rs1Line,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				must(t, table.Drain(rs1, order))
				must(t, table.SetWeight(rs1, 9, order))
				must(t, table.Enable(rs1))
			},
		}, {
			name: "a weight by hand", config: web(), want: webLine + "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 9\n",
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				must(t, table.SetWeight(rs1, 9, order))
			},
		}, {
			name: "a weight by a check", config: web(), want: webLine + "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 2\n",
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				two := 2
				if !table.SetCheckWeight(rs1, &two, "") || table.SetCheckWeight(rs1, &two, "") {
					t.Error("SetCheckWeight does not tell a change from none")
				}
			},
		}, {
			name: "a follower is absent at first", config: follower, do: up(rs1), want: "",
		}, {
			name: "a follower is present as MASTER", config: follower, want: webLine + rs1Line,
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				table.SetMaster("director", true)
			},
		}, {
			name: "a follower is absent as BACKUP, whoever else is MASTER", config: follower, want: "",
			do: func(t *testing.T, table *lvs.Table) {
				up(rs1)(t, table)
				table.SetMaster("director", true)
				table.SetMaster("other", true)
				table.SetMaster("director", false)
			},
		}, {
			name: "what the kernel uses is up until a check says otherwise", config: web(), want: webLine + rs1Line,
			do: func(_ *testing.T, table *lvs.Table) {
				table.Adopt([]lvs.Wanted{wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", 1), nat("10.9.9.9:80", 1))})
			},
		}, {
			name: "what the kernel holds quietly stays quiet", config: web(), want: webLine + fallbackLine + rs1Quiet,
			do: func(_ *testing.T, table *lvs.Table) {
				table.Adopt([]lvs.Wanted{wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", 0))})
			},
		}, {
			name: "until a check finds it well", config: web(), want: webLine + rs1Line,
			do: func(t *testing.T, table *lvs.Table) {
				table.Adopt([]lvs.Wanted{wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", 0))})
				up(rs1)(t, table)
			},
		}, {
			name: "or not", config: web(), want: webLine + fallbackLine,
			do: func(_ *testing.T, table *lvs.Table) {
				table.Adopt([]lvs.Wanted{wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", 0))})
				table.SetHealth(rs1, lvs.Down)
			},
		}, {
			name: "adoption does not overrule a check", config: web(), want: webLine + fallbackLine,
			do: func(_ *testing.T, table *lvs.Table) {
				table.SetHealth(rs1, lvs.Down)
				table.Adopt([]lvs.Wanted{wanted(tcp("10.0.0.1:80"), nat("192.168.0.11:80", 5))})
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := table(t, tt.config)
			if tt.do != nil {
				tt.do(t, table)
			}
			if diff := cmp.Diff(tt.want, render(t, table.Wanted())); diff != "" {
				t.Errorf("wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTableConfigureAgain(t *testing.T) {
	renamed := web()
	renamed.Servers[0].Name = "other"
	moved := web()
	moved.Servers[0].Server.Address = ap("192.168.0.99:80")
	heavier := web()
	heavier.Servers[0].Server.Weight = 50
	otherVIP := web()
	otherVIP.Service = tcp("10.0.0.2:80")
	tests := []struct {
		name   string
		config lvs.ServiceConfig
		want   string
	}{
		{"the same", web(), webLine + "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 9\n" + rs2Quiet},
		{"another name keeps all", renamed, webLine + "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 9\n" + rs2Quiet},
		{"another address is another server", moved, webLine + fallbackLine + rs2Quiet},
		{"another configured weight ends the override", heavier, webLine + "-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 50\n" + rs2Quiet},
		{
			"another VIP, the same servers", otherVIP,
			"-A -t 10.0.0.2:80 -s wlc\n-a -t 10.0.0.2:80 -r 192.168.0.11:80 -m -w 9\n-a -t 10.0.0.2:80 -r 192.168.0.12:80 -m -w 0\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := table(t, web())
			table.SetHealth(rs1, lvs.Up)
			table.SetHealth(rs2, lvs.Up)
			must(t, table.SetWeight(rs1, 9, order))
			must(t, table.Drain(rs2, order))
			must(t, table.Configure([]lvs.ServiceConfig{tt.config}))
			if diff := cmp.Diff(tt.want, render(t, table.Wanted())); diff != "" {
				t.Errorf("wanted (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTableCloneGoesItsOwnWay(t *testing.T) {
	original := table(t, web())
	original.SetHealth(rs1, lvs.Up)
	before := render(t, original.Wanted())
	clone := original.Clone()
	if diff := cmp.Diff(before, render(t, clone.Wanted())); diff != "" {
		t.Errorf("clone (-original +clone):\n%s", diff)
	}
	must(t, clone.Drain(rs1, order))
	clone.SetHealth(rs2, lvs.Up)
	clone.SetMaster("director", true)
	follower := web()
	follower.Active, follower.Follow = lvs.ActiveMaster, "director"
	must(t, original.Configure([]lvs.ServiceConfig{follower}))
	if got := render(t, original.Wanted()); got != "" {
		t.Errorf("SetMaster of the clone changed the original:\n%s", got)
	}
	must(t, original.Configure([]lvs.ServiceConfig{web()}))
	if diff := cmp.Diff(before, render(t, original.Wanted())); diff != "" {
		t.Errorf("original, after changes of the clone (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(webLine+rs1Quiet+rs2Line, render(t, clone.Wanted())); diff != "" {
		t.Errorf("clone (-want +got):\n%s", diff)
	}
}

func TestTableRefuses(t *testing.T) {
	table := table(t, web())
	for _, tt := range []struct {
		name string
		err  error
		want error
	}{
		{"service", table.Drain(lvs.Ref{Service: "mail", Server: "rs1"}, order), lvs.ErrUnknownService},
		{"server", table.SetWeight(lvs.Ref{Service: "web", Server: "rs9"}, 1, order), lvs.ErrUnknownServer},
	} {
		if !errors.Is(tt.err, tt.want) {
			t.Errorf("unknown %s: %v, want %v", tt.name, tt.err, tt.want)
		}
	}
	for _, weight := range []int{-1, lvs.MaxWeight + 1} {
		if err := table.SetWeight(rs1, weight, order); err == nil {
			t.Errorf("weight %d is accepted", weight)
		}
	}
	sameName, sameKey := web(), web()
	sameName.Service = tcp("10.0.0.2:80")
	sameKey.Name = "web2"
	for _, other := range []lvs.ServiceConfig{sameName, sameKey} {
		if err := table.Configure([]lvs.ServiceConfig{web(), other}); err == nil {
			t.Errorf("services web and %s %v are accepted together", other.Name, other.Service.Key)
		}
	}
	if got := len(table.Keys()); got != 1 {
		t.Errorf("%d services after a refused configuration, want the 1 before it", got)
	}
}

func TestTableReportsWhetherAnythingChanged(t *testing.T) {
	table := table(t, web())
	steps := []struct {
		name string
		got  bool
		want bool
	}{
		{"first up", table.SetHealth(rs1, lvs.Up), true},
		{"again up", table.SetHealth(rs1, lvs.Up), false},
		{"down", table.SetHealth(rs1, lvs.Down), true},
		{"unknown server", table.SetHealth(lvs.Ref{Service: "web", Server: "x"}, lvs.Up), false},
		{"not master from the start", table.SetMaster("g", false), false},
		{"master", table.SetMaster("g", true), true},
		{"still master", table.SetMaster("g", true), false},
	}
	for _, s := range steps {
		if s.got != s.want {
			t.Errorf("%s: changed is %v", s.name, s.got)
		}
	}
	if h := table.Health(rs1); h != lvs.Down {
		t.Errorf("health is %v, want down", h)
	}
}

func TestTableOverridesSurviveARestart(t *testing.T) {
	old, next := table(t, web()), lvs.NewTable()
	must(t, old.Drain(rs2, order))
	must(t, old.SetWeight(rs1, 9, order))
	file, err := json.Marshal(old.Memory())
	must(t, err)
	var memory lvs.Memory
	must(t, json.Unmarshal(file, &memory))
	next.Recall(memory)
	must(t, next.Configure([]lvs.ServiceConfig{web()}))
	if diff := cmp.Diff(old.Override(rs1), next.Override(rs1)); diff != "" {
		t.Errorf("override (-before +after):\n%s", diff)
	}
	for _, table := range []*lvs.Table{old, next} {
		table.SetHealth(rs1, lvs.Up)
		table.SetHealth(rs2, lvs.Up)
	}
	if diff := cmp.Diff(old.Wanted(), next.Wanted(), cmp.Comparer(func(a, b lvs.Wanted) bool { return render(t, []lvs.Wanted{a}) == render(t, []lvs.Wanted{b}) })); diff != "" {
		t.Errorf("wanted (-before +after):\n%s", diff)
	}
}

// A service from its start to its end, with a check before every change of the
// kernel.
func TestFallbackNeverLeavesAGap(t *testing.T) {
	table := table(t, web())
	var kernel lvstest.Fake
	applier := lvs.NewApplier(&kernel, nil, nil)
	kernel.Fail = func(op lvs.Op) error {
		have, _ := kernel.Dump()
		if op.Verb.Server() && len(kernel.Ops) > 1 && !usable(have)[tcp("10.0.0.1:80").Key] {
			t.Errorf("no usable server before %v", op)
		}
		return nil
	}
	for _, h := range []struct {
		ref lvs.Ref
		h   lvs.Health
	}{{rs1, lvs.Up}, {rs2, lvs.Up}, {rs1, lvs.Down}, {rs2, lvs.Down}, {rs1, lvs.Up}} {
		if _, err := applier.Apply(table.Keys(), table.Wanted()); err != nil {
			t.Fatal(err)
		}
		table.SetHealth(h.ref, h.h)
	}
	if _, err := applier.Apply(table.Keys(), table.Wanted()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"-A -t 10.0.0.1:80 -s wlc",
		"-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 1",
		"-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 5",
		"-d -t 10.0.0.1:80 -r 192.168.0.1:8080",
		"-a -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 3",
		"-d -t 10.0.0.1:80 -r 192.168.0.11:80",
		"-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 1",
		"-d -t 10.0.0.1:80 -r 192.168.0.12:80",
		"-a -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 5",
		"-d -t 10.0.0.1:80 -r 192.168.0.1:8080",
	}
	if diff := cmp.Diff(want, commands(kernel.Ops)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// A service for every port does not get the packets for which another program has a
// service.
func TestShadowed(t *testing.T) {
	every := lvs.ServiceConfig{Name: "every", Service: tcp("10.0.0.1:0"), Servers: web().Servers}
	every.Service.Persistence = time.Minute
	other := lvs.ServiceConfig{Name: "other", Service: tcp("10.0.0.3:0"), Active: lvs.ActiveMaster, Follow: "director"}
	table := table(t, every, web(), other)
	got := table.Shadowed([]lvs.Key{
		tcp("10.0.0.1:443").Key, tcp("10.0.0.1:25").Key, tcp("10.0.0.3:25").Key,
		tcp("10.0.0.2:22").Key, lvs.Key{Protocol: lvs.UDP, Address: ap("10.0.0.1:53")}.Canonical(), {Mark: 7},
	})
	if diff := cmp.Diff(map[string][]uint16{"every": {25, 443}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
