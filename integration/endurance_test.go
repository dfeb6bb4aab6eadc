package integration_test

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// What a director may grow by, in bytes of memory: Go takes some back from the
// kernel and returns it later, whatever the director does.
const slack = 12 << 20

func memory(t *testing.T, d *lab.Daemon) int64 {
	t.Helper()
	u, err := d.Usage()
	if err != nil {
		t.Fatal(err)
	}
	return u.RSS
}

// notGrown waits until a director has no more open files and not much more memory
// than before.
func notGrown(t *testing.T, d *lab.Daemon, files int, rss int64) {
	t.Helper()
	lab.Wait(t, 10*time.Second, fmt.Sprintf("%d open files and %d KiB of memory as before", files, rss>>10), func() (string, bool) {
		f, m := openFiles(t, d), memory(t, d)
		return fmt.Sprintf("%d open files, %d KiB", f, m>>10), f <= files && m <= rss+slack
	})
}

// mutated returns adverts for our virtual router from ever other sources, with
// whatever random changes in the message; half of them have a right checksum.
func mutated(w *lab.Wire, seed uint64) func(i int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	const ip, vrrp = 14, 34
	template := w.VRRPv3("10.0.0.88", 51, 99, fast, lab.VIP)
	return func(int) []byte {
		b := append([]byte{}, template...)
		copy(b[ip+12:], []byte{10, byte(random.Uint32()), byte(random.Uint32()), byte(random.Uint32())})
		if random.IntN(8) == 0 {
			b[ip+8] = byte(random.Uint32()) // TTL
		}
		for range 1 + random.IntN(3) {
			if at := random.IntN(len(b) - vrrp); at != 1 { // not the VRID
				b[vrrp+at] = byte(random.Uint32())
			}
		}
		binary.BigEndian.PutUint16(b[ip+10:], 0)
		binary.BigEndian.PutUint16(b[ip+10:], internetSum(b[ip:vrrp]))
		if random.IntN(2) == 0 {
			binary.BigEndian.PutUint16(b[vrrp+6:], 0)
			binary.BigEndian.PutUint16(b[vrrp+6:], internetSum(b[vrrp:]))
		}
		return b
	}
}

// internetSum is the checksum of RFC 1071 over an even number of bytes.
func internetSum(b []byte) uint16 {
	var sum uint32
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum)
}

// A flood of mutated adverts from spoofed sources costs a MASTER that authenticates
// neither its mastership nor more than a few lines and bytes.
func TestAdvertFlood(t *testing.T) {
	p := lab.NewPair(t, 2)
	key := fmt.Sprintf("auth = { type = \"hmac\", keys = [{ id = 1, secret = %q }] }", strings.Repeat("k", 32))
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(outside(3, 200-100*i, key)))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	own, others := mark(t, daemons[0]), mark(t, daemons[1])
	wire := p.Host("liar").Plug(p.Outside, "eth0", "10.0.0.88/24")
	const n = 20_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	lines := func(d *lab.Daemon) int { return strings.Count(d.LogText(), "\n") }
	before, files, rss := lines(daemons[0]), openFiles(t, daemons[0]), memory(t, daemons[0])

	wire.Flood(n, mutated(wire, seed))
	daemons[0].Await(t, "the adverts were received", func(s lab.Status) (string, bool) {
		var sum uint64
		for _, count := range s.VRRP[0].Counters.Dropped {
			sum += count
		}
		return fmt.Sprint(s.VRRP[0].Counters.Dropped), sum > n/4 // the others were lost in the socket's queue
	})
	adverts(t, p.Directors[0], 10)
	if more := lines(daemons[0]) - before; more > 40 {
		t.Errorf("%d adverts cost %d lines of log", n, more)
	}
	notGrown(t, daemons[0], files, rss)
	if list := refusedBy(t, daemons[0]); len(list) > 16 {
		t.Errorf("%d refused speakers are remembered", len(list))
	}
	stayed(t, "the MASTER", daemons[0], own)
	stayed(t, "the BACKUP", daemons[1], others)
}

// Many reloads that change something, and upgrades, cost neither files nor memory.
func TestReloadsAndUpgradesDoNotGrow(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	d := installed(t, p, fast)[0]
	configs := []string{outside(3, 200, ""), outside(3, 200, "preempt_delay = \"5s\"\nstart_delay = \"1s\"\n[[vrrp]]\nname = \"second\"\ninterface = \"eth0\"\nvrid = 52\ninterval = \"100ms\"\naddresses = [\"10.0.0.101/24\"]\n")}
	reload := func(n int) {
		for i := range n {
			d.Configure(configs[(i+1)%2])
			if err := d.Reload(); err != nil {
				t.Fatal(err)
			}
		}
	}
	reload(4)
	obeyed(t, d, "upgrade")
	d.AwaitState(t, "MASTER")
	files, rss := openFiles(t, d), memory(t, d)
	for range 5 {
		reload(10)
		obeyed(t, d, "upgrade")
	}
	d.AwaitState(t, "MASTER")
	notGrown(t, d, files, rss)
}

// A director that is killed again and again finds its way each time, and leaves no
// more behind than after the first.
func TestKilledManyTimes(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	d := p.Directors[0].Holdfast(outside(3, 200, ""))
	left := func() string {
		out, _, err := p.Directors[0].Output("ip", "-o", "address")
		if err != nil {
			t.Fatal(err)
		}
		var sizes []string
		names, _ := filepath.Glob(filepath.Join(d.RuntimeDir(), "*"))
		for _, name := range names {
			info, err := os.Stat(name)
			if err == nil && info.Mode().IsRegular() {
				// The texts of events name durations, so a few bytes differ.
				sizes = append(sizes, fmt.Sprintf("%s %d KiB", filepath.Base(name), (info.Size()+1023)/1024))
			}
		}
		return fmt.Sprintf("%d lines of addresses\n%s", strings.Count(out, "\n"), strings.Join(sizes, "\n"))
	}
	d.AwaitState(t, "MASTER")
	d.Crash()
	d.Restart()
	d.AwaitState(t, "MASTER")
	first, files := left(), openFiles(t, d)
	for range 15 {
		d.Crash()
		d.Restart()
		d.AwaitState(t, "MASTER")
	}
	lab.Wait(t, 10*time.Second, "what is left is as after the first time:\n"+first, func() (string, bool) {
		now := left()
		return now, now == first && openFiles(t, d) <= files
	})
	if code := d.Stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if out, _, err := p.Directors[0].Output("ip", "-o", "link"); err != nil || strings.Contains(out, "vrrp4") {
		t.Errorf("after the stop: %v\n%s", err, out)
	}
}
