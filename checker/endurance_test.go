package checker

import (
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"holdfast/checker/probe"
)

// enduranceSeconds is how long TestEndurance runs; "make soak" has 1800.
var enduranceSeconds = flag.Float64("endurance.seconds", 1, "length of TestEndurance")

// Checks that are well, that fail and that get no answer leave nothing behind: no
// goroutine, file or memory.
func TestEndurance(t *testing.T) {
	well := serve(t, func(conn net.Conn) { _, _ = io.WriteString(conn, wellAnswer) })
	silent := serve(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	closed := listen(t, "127.0.0.1:0")
	closed.Close()
	var configs []Config
	for i, l := range []net.Listener{well, silent, closed} {
		for j := range 20 {
			tcp, http := tcpCheck(l), httpCheck(fmt.Sprintf("http%d-%d", i, j), l)
			tcp.ID = fmt.Sprintf("tcp%d-%d", i, j)
			reuse := http
			settings := reuse.Probe.(probe.HTTP)
			settings.Reuse, reuse.Probe, reuse.ID = true, settings, "reuse-"+reuse.ID
			for _, c := range []Config{tcp, http, reuse} {
				c.Interval, c.Timeout = 100*time.Millisecond+time.Duration(j)*time.Millisecond, 50*time.Millisecond
				configs = append(configs, c)
			}
		}
	}
	s := New(Options{})
	if err := s.Apply(configs); err != nil {
		t.Fatal(err)
	}
	length := time.Duration(*enduranceSeconds * float64(time.Second))
	time.Sleep(length / 3)
	heapBefore, goroutinesBefore, filesBefore := heap(), runtime.NumGoroutine(), openFiles(t)
	time.Sleep(length - length/3)
	if after := heap(); after > heapBefore+4<<20 {
		t.Errorf("%d bytes in use, %d before", after, heapBefore)
	}
	// The numbers vary with the checks that run.
	if after := runtime.NumGoroutine(); after > goroutinesBefore+len(configs) {
		t.Errorf("%d goroutines, %d before", after, goroutinesBefore)
	}
	if after := openFiles(t); after > filesBefore+2*len(configs) {
		t.Errorf("%d files, %d before", after, filesBefore)
	}
	t.Logf("%d attempts", s.Timing().Lateness.Count)
	s.Close()
}

// heap returns how many bytes of memory are in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
