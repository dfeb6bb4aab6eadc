package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

const (
	pulse = 5 * time.Millisecond // of the probes
	web   = lab.VIP + ":80"
	lines = lab.VIP + ":7"
)

// The intervals of adverts: on a machine that stands still now and then, the BACKUP would
// take the MASTER for dead at the first.
const (
	quick  = 100 * time.Millisecond
	steady = time.Second
)

const picture = `
                 router 10.0.0.1
                   |
      -------------+-------------  10.0.0.0/24      VIP 10.0.0.100     at 00:00:5e:00:01:33
         |                   |
       lvs1                lvs2                     one of them is MASTER and has both
         |                   |
      -------------+-------------  192.168.0.0/24   DIP 192.168.0.254  at 00:00:5e:00:01:34
         |                   |
        rs1                 rs2                     web servers, their gateway is the DIP
`

// config is what both directors run; only the priority differs.
const config = `
[lvs.sync]
interface = "eth1"
id = 1
preempt_wait = "4s"

[lvs.sysctl]
sync_refresh_period = 3

[[service]]
name = "web"
address = "10.0.0.100:80"
scheduler = "rr"
check = { type = "http", path = "/", interval = "500ms", timeout = "400ms", rise = 1, fall = 2 }
server = [{ address = "192.168.0.11:80" }, { address = "192.168.0.12:80" }]

[[service]]
name = "lines"
address = "10.0.0.100:7"
scheduler = "rr"
check = { type = "tcp", interval = "1s", timeout = "500ms" }
server = [{ address = "192.168.0.11:7" }, { address = "192.168.0.12:7" }]
`

// A scene is the network with everything that runs in it.
type scene struct {
	*story
	t         lab.T
	pair      *lab.Pair
	interval  time.Duration // of the adverts
	stalls    *lab.StallWatch
	daemons   []*lab.Daemon
	webs      []*lab.Web
	vip, dip  *lab.NeighbourWatch
	snapshots []lab.Snapshot
	talker    *talker
}

// tell runs the whole demo.
func (s *story) tell(t lab.T) {
	fmt.Printf("holdfast on Linux %s\n%s", s.kernel(), picture)
	c := &scene{story: s, t: t}
	c.build()
	c.stalls = lab.WatchStalls()
	defer func() {
		c.figures.StallMS = round(c.stalls.Longest())
		c.stalls.Stop()
	}()
	c.chooseInterval()
	c.directors()
	c.serverDies()
	c.masterDies()
	c.masterReturns()
	c.masterIsStopped()
	c.end()
}

func (c *scene) build() {
	c.title("The network")
	c.pair = lab.NewPair(c.t, 2)
	for _, h := range c.pair.Realservers {
		c.webs = append(c.webs, h.ServeHTTP(":80"))
		h.ServeLines(":7")
	}
	for _, h := range c.pair.Directors {
		c.snapshots = append(c.snapshots, h.Snapshot())
	}
	c.vip, c.dip = c.pair.Router.WatchNeighbour(lab.VIP), c.pair.Realservers[0].WatchNeighbour(lab.DIP)
	c.say("five hosts and two switches stand; realservers serve HTTP and a line echo")
}

// chooseInterval has adverts so far apart that a stall of this machine does not look like
// a dead MASTER.
func (c *scene) chooseInterval() {
	const look = 2 * time.Second
	time.Sleep(look)
	c.interval = quick
	if stall := c.stalls.Longest(); stall > quick {
		c.interval = steady
		c.say("this machine stood still for %v just now, so adverts come every %v and not every %v", stall, steady, quick)
	}
	c.figures.IntervalMS = round(c.interval)
}

func (c *scene) directors() {
	c.title("Two directors")
	for i, h := range c.pair.Directors {
		c.daemons = append(c.daemons, h.Holdfast(lab.Director{Priority: 200 - 100*i, Interval: c.interval, More: config}.TOML()))
		c.daemons[i].AwaitState(c.t, []string{"MASTER", "BACKUP"}[i])
		c.say("%s runs holdfast, priority %d: %s", h.Name, 200-100*i, []string{"MASTER", "BACKUP"}[i])
	}
	c.pair.Router.AwaitServers(c.t, 20*time.Second, web, "rs1", "rs2")
	c.say("the router asks http://%s/ and is answered by rs1 and rs2", lab.VIP)
	c.show(c.pair.Directors[0].Run("ip", "-d", "-br", "link", "show", "type", "macvlan"))
	c.show(c.pair.Directors[0].Run("ipvsadm", "-Ln"))
	c.say("lvs2, BACKUP, has the same table, and its virtual MACs are down and bare:")
	c.show(c.pair.Directors[1].Run("ip", "-br", "link", "show", "type", "macvlan"))
}

func (c *scene) serverDies() {
	c.title("A realserver dies and returns")
	master := c.pair.Directors[0]
	inTable := func() bool { return strings.Contains(master.Run("ipvsadm", "-Sn"), "192.168.0.12:80") }
	begin := time.Now()
	c.webs[1].Close()
	c.say("rs2's web server is killed")
	lab.Wait(c.t, 10*time.Second, "the table without rs2", func() (string, bool) { return "it is there", !inTable() })
	c.figures.RemovalMS, c.figures.Removed = round(time.Since(begin)), true
	c.say("two checks failed; it left the table after %.0f ms (checked every 500 ms)", c.figures.RemovalMS)
	c.show(master.Run("ipvsadm", "-Ln", "-t", web))
	c.requests("rs1")
	c.webs[1] = c.pair.Realservers[1].ServeHTTP(":80")
	lab.Wait(c.t, 10*time.Second, "the table with rs2", func() (string, bool) { return "it is not there", inTable() })
	c.figures.Returned = true
	c.say("rs2's web server is back, and so is its place in the table")
}

// requests asks for some pages; all must be answered, by the servers named.
func (c *scene) requests(names ...string) {
	const some = 6
	seen := map[string]int{}
	for range some {
		_, body, err := c.pair.Router.Get(web, 2*time.Second)
		if err != nil {
			c.figures.FailedRequests++
			body = err.Error()
		}
		seen[body]++
	}
	var answers []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		if !slices.Contains(names, name) {
			c.figures.FailedRequests++
		}
		answers = append(answers, fmt.Sprintf("%d by %s", seen[name], name))
	}
	c.say("%d requests, answered: %s", some, strings.Join(answers, ", "))
}

// measure probes the VIP while f happens, and until it has answered for a
// while after.
func (c *scene) measure(f func()) lab.Tally {
	probe := c.pair.Router.Probe(lab.VIP, pulse)
	probe.AwaitAnswers(c.t, 10*time.Second, 20)
	f()
	probe.AwaitAnswers(c.t, 10*time.Second, int(5*c.interval/pulse))
	return probe.Stop()
}

func (c *scene) masterDies() {
	c.title("The MASTER dies")
	c.talker = converse(c.t, c.pair.Router)
	c.say("a TCP connection to %s is served by %s, a line every 50 ms", lines, c.talker.server)
	lab.Wait(c.t, 20*time.Second, "a copy of the connection on lvs2", func() (string, bool) {
		table := c.pair.Directors[1].Run("ipvsadm", "-Lnc")
		return table, strings.Contains(table, "ESTABLISHED") && strings.Contains(table, lines)
	})
	c.say("the kernel of lvs2 has a copy of it")
	silent := c.pair.Directors[1].Wires["eth0"].Capture()
	before := c.talker.count()
	tally := c.measure(func() {
		// While lvs2 is BACKUP, whatever it sends from a virtual MAC is wrong.
		c.figures.BackupFrames = silent.Count(lab.SentFrom(lab.VirtualMAC(51)))
		c.say("lvs1: power cut (no goodbye, both wires dead)")
		c.pair.Directors[0].PowerCut()
		c.daemons[1].AwaitState(c.t, "MASTER")
	})
	c.figures.OutageMS = round(tally.Worst().Duration())
	c.say("lvs2 is MASTER; no answer from the VIP for %.0f ms (%d probes of %d, adverts every %v)", c.figures.OutageMS, tally.Lost, tally.Sent, c.interval)
	c.talker.awaitMore(c.t, 20)
	c.say("the connection goes on: %d lines since, still by %s", c.talker.count()-before, c.talker.server)
	c.neighbours()
	c.show(c.pair.Directors[1].Run("ip", "-br", "addr", "show", "type", "macvlan"))
	c.show(c.pair.Directors[1].Run("ipvsadm", "-Ln"))
	c.requests("rs1", "rs2")
}

func (c *scene) neighbours() {
	c.say("the router's entry: %s; rs1's: %s", entry(c.vip), entry(c.dip))
}

func entry(w *lab.NeighbourWatch) string {
	seen := w.Seen()
	if len(seen) == 0 {
		return w.Address.String() + " not resolved"
	}
	return fmt.Sprintf("%s at %s, %d changes", w.Address, seen[len(seen)-1].MAC, w.Changes())
}

func (c *scene) masterReturns() {
	c.title("It returns")
	tally := c.measure(func() {
		c.pair.Directors[0].PowerOn()
		c.daemons[0].Restart()
		c.say("lvs1: power is back, holdfast starts; it has the higher priority, and waits until it knows the connections")
		c.daemons[0].AwaitState(c.t, "MASTER")
		c.daemons[1].AwaitState(c.t, "BACKUP")
	})
	c.figures.FailbackOutageMS = round(tally.Worst().Duration())
	c.say("lvs1 is MASTER again: %d of %d probes lost", tally.Lost, tally.Sent)
	c.neighbours()
	c.requests("rs1", "rs2")
}

func (c *scene) masterIsStopped() {
	c.title("It is stopped for maintenance")
	c.awaitCopyOnBackup()
	tally := c.measure(func() {
		c.say("lvs1: SIGTERM")
		c.daemons[0].Signal(unix.SIGTERM)
		if status := c.daemons[0].Wait(20 * time.Second); status != 0 {
			c.t.Errorf("holdfast on lvs1 ended with status %d", status)
		}
		c.daemons[1].AwaitState(c.t, "MASTER")
	})
	c.figures.StopOutageMS, c.figures.StopLost = round(tally.Worst().Duration()), tally.Lost
	c.say("lvs2 is MASTER; %d of %d probes lost", tally.Lost, tally.Sent)
	c.talker.awaitMore(c.t, 20)
	diff := c.snapshots[0].Diff(c.pair.Directors[0].Snapshot())
	c.figures.LeftBehind = diff != ""
	if diff == "" {
		c.say("lvs1 is as it was before holdfast ran there: devices, addresses, routes, sysctls")
	} else {
		c.say("lvs1 is not as it was:")
		c.show(diff)
	}
	c.neighbours()
	c.requests("rs1", "rs2")
}

// awaitCopyOnBackup waits until both kernels know the connection again.
func (c *scene) awaitCopyOnBackup() {
	lab.Wait(c.t, 20*time.Second, "the connection on both directors", func() (string, bool) {
		for _, h := range c.pair.Directors {
			if table := h.Run("ipvsadm", "-Lnc"); !strings.Contains(table, lines) {
				return h.Name + " has " + table, false
			}
		}
		return "", true
	})
}

func (c *scene) end() {
	c.title("In all")
	c.figures.Lines, c.figures.Survived = c.talker.stop()
	c.say("the TCP connection carried %d lines through all of it: alive %v", c.figures.Lines, c.figures.Survived)
	for _, w := range []*lab.NeighbourWatch{c.vip, c.dip} {
		if err := w.Err(); err != nil {
			c.t.Errorf("watch neighbours: %v", err)
		}
		if len(w.Seen()) == 0 {
			c.t.Errorf("%v was never resolved", w.Address)
		}
	}
	c.figures.RouterChanges, c.figures.ServerChanges = c.vip.Changes(), c.dip.Changes()
	c.say("MAC changes: router %d, realserver %d", c.figures.RouterChanges, c.figures.ServerChanges)
	c.say("the machine stood still for %v at most", c.stalls.Longest())
	c.figures.Seconds = time.Since(c.begin).Round(100 * time.Millisecond).Seconds()
	fmt.Println()
}

func round(d time.Duration) float64 { return float64(d.Round(time.Millisecond).Milliseconds()) }

// A talker sends a line every 50 ms on one connection until it is stopped or the
// connection breaks.
type talker struct {
	server string
	talk   *lab.Conversation
	ended  chan struct{}
	once   sync.Once
	done   sync.WaitGroup

	mu    sync.Mutex
	lines int
	err   error
}

func converse(t lab.T, from *lab.Host) *talker {
	k := &talker{talk: from.Converse(t, lines), ended: make(chan struct{})}
	server, err := k.talk.Say(5 * time.Second)
	if err != nil {
		t.Fatalf("first line: %v", err)
	}
	k.server = server
	k.done.Go(k.run)
	t.Cleanup(func() { k.stop() })
	return k
}

func (k *talker) run() {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-k.ended:
			return
		case <-tick.C:
		}
		name, err := k.talk.Say(10 * time.Second)
		if err == nil && name != k.server {
			err = fmt.Errorf("answered by %s", name)
		}
		k.mu.Lock()
		k.err = err
		if err == nil {
			k.lines++
		}
		k.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (k *talker) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lines
}

func (k *talker) awaitMore(t lab.T, n int) {
	goal := k.count() + n
	lab.Wait(t, 15*time.Second, "lines on the connection", func() (string, bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		return fmt.Sprintf("%d of %d, error %v", k.lines, goal, k.err), k.lines >= goal
	})
}

// stop ends the conversation and reports whether the connection lived to the end.
func (k *talker) stop() (lines int, alive bool) {
	k.once.Do(func() { close(k.ended) })
	k.done.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lines, k.err == nil
}
