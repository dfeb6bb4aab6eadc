package ipvs_test

import (
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/integration/lab"
)

var connections = flag.Int("survive.connections", 200, "connections of TestConnectionsSurvive in all")

// A survivor is a virtual service whose connections must survive.
type survivor struct {
	name, forward string
	ipv6, persist bool
	port          int
}

func survivors() []survivor {
	var all []survivor
	for _, forward := range []string{"nat", "dr", "tun"} {
		for _, ipv6 := range []bool{false, true} {
			for _, persist := range []bool{false, true} {
				s := survivor{forward: forward, ipv6: ipv6, persist: persist, port: 7001 + len(all)}
				s.name = fmt.Sprintf("%s, IPv6 %v, persistent %v", forward, ipv6, persist)
				all = append(all, s)
			}
		}
	}
	return all
}

func (s survivor) address() string {
	if s.ipv6 {
		return fmt.Sprintf("[%s]:%d", lab.VIP6, s.port)
	}
	return fmt.Sprintf("%s:%d", lab.VIP, s.port)
}

func (s survivor) toml() string {
	servers := []string{fmt.Sprintf("192.168.0.11:%d", s.port), fmt.Sprintf("192.168.0.12:%d", s.port)}
	if s.ipv6 {
		servers = []string{fmt.Sprintf("[2001:db8:b::11]:%d", s.port), fmt.Sprintf("[2001:db8:b::12]:%d", s.port)}
	}
	options := fmt.Sprintf("forward = %q\n", s.forward)
	if s.persist {
		options += "persistence = \"5m\"\n"
	}
	return service(fmt.Sprintf("port%d", s.port), s.address(), options+"[service.check]\ntype = \"tcp\"\ninterval = \"2s\"\n", servers...)
}

// A crowd are connections that each say a line every second.
type crowd struct {
	end   chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	lines []int             // of each connection
	dead  map[string]string // by connection: why
}

// gather opens n connections, spread over the services.
func gather(t *testing.T, from *lab.Host, n int, services []survivor) *crowd {
	t.Helper()
	c := &crowd{end: make(chan struct{}), lines: make([]int, n), dead: map[string]string{}}
	t.Cleanup(func() { close(c.end); c.done.Wait() })
	for i := range n {
		s := services[i%len(services)]
		talk := from.Converse(t, s.address())
		server, err := talk.Say(5 * time.Second)
		if err != nil {
			t.Fatalf("%s: first line: %v", s.name, err)
		}
		c.done.Go(func() { c.talk(i, fmt.Sprintf("%d (%s, by %s)", i, s.name, server), server, talk) })
	}
	return c
}

func (c *crowd) talk(i int, name, server string, talk *lab.Conversation) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-c.end:
			return
		case <-tick.C:
		}
		by, err := talk.Say(15 * time.Second)
		if err == nil && by != server {
			err = fmt.Errorf("answered by %s", by)
		}
		c.mu.Lock()
		if err != nil {
			c.dead[name] = err.Error()
		} else {
			c.lines[i]++
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// awaitLines waits until every connection that lives has said so many more lines, and
// fails if one died.
func (c *crowd) awaitLines(t *testing.T, after string, more int) {
	t.Helper()
	c.mu.Lock()
	goal := make([]int, len(c.lines))
	for i, n := range c.lines {
		goal[i] = n + more
	}
	c.mu.Unlock()
	lab.Wait(t, 30*time.Second, "lines on all connections "+after, func() (string, bool) {
		c.mu.Lock()
		defer c.mu.Unlock()
		behind := 0
		for i, n := range c.lines {
			if n < goal[i] {
				behind++
			}
		}
		return fmt.Sprintf("%d of %d say nothing, %d died", behind, len(c.lines), len(c.dead)), behind <= len(c.dead)
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.dead) > 0 {
		t.Fatalf("%s: %d of %d connections died: %v", after, len(c.dead), len(c.lines), c.dead)
	}
}

// survivalNet is a network in which realservers answer by NAT, DR and TUN at once. Its
// third director is what the first one is after a repair: the same, with an empty
// kernel.
func survivalNet(t *testing.T, services []survivor) *lab.Pair {
	p := lab.NewPair(t, 3)
	for i, h := range p.Realservers {
		h.Plug(p.Outside, "eth1", fmt.Sprintf("10.0.0.%d/24", 11+i), fmt.Sprintf("2001:db8:a::%d/64", 11+i))
		realserver(t, h, "--vip", lab.VIP6, "--method", "tun")
		// What NAT has brought goes back through the director.
		h.Run("ip", "rule", "add", "from", "192.168.0.0/24", "to", "10.0.0.0/24", "lookup", "100")
		h.Run("ip", "route", "add", "default", "via", lab.DIP, "table", "100")
		h.Run("ip", "-6", "rule", "add", "from", "2001:db8:b::/64", "to", "2001:db8:a::/64", "lookup", "100")
		h.Run("ip", "-6", "route", "add", "default", "via", lab.DIP6, "dev", "eth0", "table", "100")
		for _, s := range services {
			h.ServeLines(fmt.Sprintf(":%d", s.port))
		}
	}
	return p
}

// survivalConfig is the configuration of a director. Copies are repeated sooner than by
// default, so that the test is shorter; what follows from that is the default's.
func survivalConfig(priority int, services []survivor) string {
	more := "[lvs.sync]\ninterface = \"eth1\"\nid = 7\n[lvs.sysctl]\nsync_refresh_period = 4\n"
	for _, s := range services {
		more += s.toml()
	}
	return lab.Director{Priority: priority, Interval: time.Second, IPv6: true, More: more}.TOML()
}

// Established connections through NAT, DR and TUN, IPv4 and IPv6, plain and persistent,
// live on when their director dies, when it returns with an empty kernel and preempts,
// when it is restarted and when it is upgraded.
func TestConnectionsSurvive(t *testing.T) {
	services := survivors()
	p := survivalNet(t, services)
	first := p.Directors[0].Holdfast(survivalConfig(200, services))
	first.AwaitState(t, "MASTER")
	second := p.Directors[1].Holdfast(survivalConfig(150, services))
	second.AwaitState(t, "BACKUP")
	for _, d := range []*lab.Daemon{first, second} {
		d.Await(t, "all servers up", func(s lab.Status) (string, bool) {
			up := 0
			for _, v := range s.LVS.Services {
				for _, r := range v.Servers {
					if r.Health == "up" && r.Present {
						up++
					}
				}
			}
			return fmt.Sprintf("%d up", up), up == 2*len(services)
		})
	}
	c := gather(t, p.Router, *connections, services)
	c.awaitLines(t, "when they are old enough", 3)

	p.Directors[0].PowerCut()
	second.AwaitState(t, "MASTER")
	c.awaitLines(t, "after the death of the director", 2)

	third := p.Directors[2].Holdfast(survivalConfig(200, services))
	third.AwaitState(t, "MASTER")
	c.awaitLines(t, "after its return", 2)
	if out, _, _ := third.CLI("events"); !strings.Contains(out, "does not preempt") {
		t.Errorf("no event says that the preemption was held back:\n%s", out)
	}

	third.Stop()
	second.AwaitState(t, "MASTER")
	third.Restart()
	third.AwaitState(t, "MASTER")
	c.awaitLines(t, "after its restart", 2)

	if out, stderr, err := third.CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v: %s%s", err, out, stderr)
	}
	c.awaitLines(t, "after its upgrade", 2)
	t.Logf("%d of %d connections of %d kinds live", len(c.lines), len(c.lines), len(services))
}
