package tools

import (
	"testing"
	"time"
)

// patience is how long Await waits: far longer than anything takes on a busy machine.
const patience = 20 * time.Second

// Await looks every millisecond until look says that what is awaited has come, and ends the
// test if it has not come in time. The failure quotes what look saw last. It is for what
// tells nobody that it has happened: the state of a process, a file, a counter.
func Await(t testing.TB, what string, look func() (seen any, ok bool)) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		seen, ok := look()
		if ok {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v; last seen: %+v", what, patience, seen)
		}
	}
}
