package bfd

import (
	"runtime"
	"testing"

	"holdfast/netdev/port"
)

// Two ends of a session that is up allocate nothing for a packet.
func TestAllocatesNothing(t *testing.T) {
	a := quickSessions(t)
	before := statuses(a)
	// testing.AllocsPerRun rounds down, so it would miss one for every second turn.
	const turns = 40
	var start, end runtime.MemStats
	a.do(func() {
		runtime.ReadMemStats(&start) // of all goroutines: of b's, too
		for range turns {
			if _, err := a.loop.(*port.Port).Receive(a.Deadline(), nil); err != nil {
				t.Error(err)
			}
			a.Turn()
		}
		runtime.ReadMemStats(&end)
	})
	after := statuses(a)
	for _, name := range []string{"four", "six"} {
		if got, want := after[name].Received-before[name].Received, uint64(20); got < want {
			t.Errorf("%s has received %d packets, want at least %d", name, got, want)
		}
		if after[name].Sent-before[name].Sent < 20 || after[name].State != Up {
			t.Errorf("%s: %+v", name, after[name])
		}
	}
	if n := end.Mallocs - start.Mallocs; n > turns/4 {
		t.Errorf("%d allocations in %d turns", n, turns)
	}
}
