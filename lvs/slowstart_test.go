package lvs_test

import (
	"testing"
	"time"

	"holdfast/lvs"
)

// risen returns a table in which server a serves with weight 10 and server b, with
// weight 40, has just come up after it was down.
func risen(t *testing.T) *lvs.Table {
	t.Helper()
	config := farm(10, 40)
	config.SlowStart = 20 * time.Second
	table := table(t, config)
	tell(t, table, start, "a+ b-")
	tell(t, table, start, "b+")
	return table
}

// The weight rises by steps of a second at least, and Deadline tells each of them.
func TestSlowStart(t *testing.T) {
	table := risen(t)
	if got := serving(table); got != "a10 b1" {
		t.Errorf("at first: %s", got)
	}
	if !table.Status(nil)[0].Servers[1].FullAt.Equal(start.Add(20 * time.Second)) {
		t.Errorf("full at %v", table.Status(nil)[0].Servers[1].FullAt)
	}
	now, former := start, serving(table)
	steps := 0
	for ; !table.Deadline().IsZero(); steps++ {
		next := table.Deadline()
		if next.Sub(now) < time.Second {
			t.Fatalf("a step after %v", next.Sub(now))
		}
		table.Step(next.Add(-time.Millisecond))
		if got := serving(table); got != former {
			t.Errorf("before its time: %s after %s", got, former)
		}
		now = next
		table.Step(now)
		if got := serving(table); got == former {
			t.Errorf("nothing changed at %v: %s", now.Sub(start), got)
		}
		former = serving(table)
		if now.Sub(start) == 10*time.Second && former != "a10 b20" {
			t.Errorf("at half time: %s", former)
		}
	}
	if former != "a10 b40" || now.Sub(start) != 20*time.Second || steps != 20 {
		t.Errorf("at the end, after %v and %d steps: %s", now.Sub(start), steps, former)
	}
}

// Who rises, and who does not.
func TestSlowStartBegins(t *testing.T) {
	config := farm(10, 40)
	config.SlowStart = 20 * time.Second
	fresh := table(t, config)
	tell(t, fresh, start, "a+")
	tell(t, fresh, start, "b+")
	if got := serving(fresh); got != "a10 b40" {
		t.Errorf("the first checks of a start: %s", got)
	}
	tell(t, fresh, start, "b!")
	tell(t, fresh, start, "b?")
	if got := serving(fresh); got != "a10 b1" {
		t.Errorf("enabled again: %s", got)
	}

	adopted := table(t, config)
	adopted.Adopt([]lvs.Wanted{wanted(config.Service, nat("192.168.0.11:80", 10))})
	tell(t, adopted, start, "a+")
	tell(t, adopted, start, "b+")
	if got := serving(adopted); got != "a10 b1" {
		t.Errorf("a server that comes up after a restart beside one in use: %s", got)
	}

	early := risen(t)
	early.Step(start.Add(10 * time.Second))
	upgraded := lvs.NewTable()
	upgraded.Recall(early.Memory())
	must(t, upgraded.Configure([]lvs.ServiceConfig{config}))
	upgraded.Adopt([]lvs.Wanted{wanted(config.Service, nat("192.168.0.11:80", 10), nat("192.168.0.12:80", 20))})
	upgraded.Step(start.Add(15 * time.Second))
	if got := serving(upgraded); got != "a10 b30" {
		t.Errorf("after an upgrade: %s", got)
	}

	reloaded := risen(t)
	config.SlowStart = 0
	must(t, reloaded.Configure([]lvs.ServiceConfig{config}))
	reloaded.Step(start)
	if got := serving(reloaded); got != "a10 b40" || !reloaded.Deadline().IsZero() {
		t.Errorf("without a slow start any more: %s", got)
	}
}

// The quorum counts the full weight of a server that rises.
func TestSlowStartCountsForTheQuorum(t *testing.T) {
	config := farm(10)
	config.Quorum, config.SlowStart = 10, 20*time.Second
	table := table(t, config)
	tell(t, table, start, "a-")
	tell(t, table, start, "a+")
	if got := serving(table); got != "a1" {
		t.Errorf("%s", got)
	}
}
