package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// Two hundred clients ask a thousand virtual routers for their status at once, and
// as many ask and never read. That costs the daemon little memory, nobody waits
// long, and no advert is late.
func TestManyReaders(t *testing.T) {
	const readers = 200
	c := newCrowd(t, 250)
	d := c.daemons[0]
	socket := filepath.Join(d.RuntimeDir(), "control.sock")
	late := func() (n uint64) {
		var s struct {
			VRRP []struct {
				Counters struct {
					Late uint64 `json:"adverts_late"`
				} `json:"counters"`
			} `json:"vrrp"`
		}
		if err := d.StatusInto(&s); err != nil {
			t.Fatal(err)
		}
		for _, v := range s.VRRP {
			n += v.Counters.Late
		}
		return n
	}
	other := mark(t, c.daemons[1])
	lab.Wait(t, 30*time.Second, "the memory that the start needed given back", func() (string, bool) {
		u, err := d.Usage()
		files := u.RSS - u.Anon // pages of the binary
		return fmt.Sprintf("%d MB of its own, %d MB of files, %v", u.Anon>>20, files>>20, err),
			err == nil && u.Anon <= 38<<20
	})
	// The Go runtime gives memory back in the course of minutes, so the later rounds
	// begin with what the former ones left.
	limit := int64(52 << 20)
	for _, reads := range []bool{true, false, true} {
		before := late()
		idle, err := d.Usage()
		if err != nil {
			t.Fatal(err)
		}
		stop, peak := make(chan struct{}), make(chan int64)
		go func() { peak <- peakMemory(d, stop) }()
		var all sync.WaitGroup
		took := make([]time.Duration, readers)
		for i := range took {
			all.Go(func() {
				var err error
				if took[i], err = askRaw(t, socket, reads); err != nil {
					t.Errorf("reader %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if !reads {
			lab.Wait(t, 20*time.Second, "status after readers that do not read", func() (string, bool) {
				_, err := d.Status()
				return fmt.Sprint(err), err == nil
			})
		}
		close(stop)
		most, slowest := <-peak, time.Duration(0)
		for _, t := range took {
			slowest = max(slowest, t)
		}
		t.Logf("%d readers (reading: %t): slowest %v, memory %d MB before, %d MB at most, %d adverts late",
			readers, reads, slowest.Round(time.Millisecond), idle.Anon>>20, most>>20, late()-before)
		if most > limit {
			t.Errorf("%d readers (reading: %t) cost %d MB, more than %d", readers, reads, most>>20, limit>>20)
		}
		limit = 66 << 20
	}
	if n := len(events(t, c.daemons[1], other).Transitions()); n > 0 {
		t.Errorf("%d transitions of the other director", n)
	}
}

// peakMemory returns the most anonymous memory that the daemon had until stop is closed.
func peakMemory(d *lab.Daemon, stop <-chan struct{}) (most int64) {
	for ticker := time.NewTicker(2 * time.Millisecond); ; {
		if u, err := d.Usage(); err == nil {
			most = max(most, u.Anon)
		}
		select {
		case <-ticker.C:
		case <-stop:
			ticker.Stop()
			return most
		}
	}
}

// askRaw asks for the status without looking at what it says. A client that does
// not read leaves its connection open until the test ends.
func askRaw(t *testing.T, socket string, reads bool) (time.Duration, error) {
	start := time.Now()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return 0, err
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /v1/status HTTP/1.1\r\nHost: holdfast\r\nConnection: close\r\n\r\n"); err != nil || !reads {
		return 0, err
	}
	if err := conn.SetDeadline(start.Add(30 * time.Second)); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && (answer.StatusCode != http.StatusOK || n < 1<<19) {
		err = fmt.Errorf("%s, %d bytes", answer.Status, n)
	}
	return time.Since(start), err
}
