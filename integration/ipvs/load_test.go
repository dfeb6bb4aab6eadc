package ipvs_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// manyServices is how many services TestFirstLoad has; "make soak" has 1,000.
var manyServices = flag.Int("load.services", 200, "number of services in TestFirstLoad")

const serversEach = 10

// manyNames returns the addresses of the services, and those of the servers of each.
func manyNames() (services []string, servers [][]string) {
	for i := range *manyServices {
		services = append(services, fmt.Sprintf("10.1.%d.%d:80", i/250, 1+i%250))
		var each []string
		for j := range serversEach {
			each = append(each, fmt.Sprintf("10.2.%d.%d:80", j, 1+i%250))
		}
		servers = append(servers, each)
	}
	return services, servers
}

// entries returns the number of services and servers in the host's IPVS table.
func entries(t *testing.T, h *lab.Host) int {
	t.Helper()
	n := 0
	err := h.Do(func() error {
		table, err := os.ReadFile("/proc/thread-self/net/ip_vs")
		n = bytes.Count(table, []byte("\n")) - 3 // three lines of heading
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// loaded returns how long after start the table was full.
func loaded(t *testing.T, h *lab.Host, start time.Time) time.Duration {
	t.Helper()
	lab.Wait(t, 3*time.Minute, "the whole table", func() (string, bool) {
		n := entries(t, h)
		return fmt.Sprintf("%d entries", n), n == *manyServices*(1+serversEach)
	})
	return time.Since(start)
}

// A table of many services with 10 servers each, by holdfast, keepalived and
// ipvsadm -R. The times, from the start of each program, are for the log.
func TestFirstLoad(t *testing.T) {
	services, servers := manyNames()
	var ours, theirs, restore strings.Builder
	for i, s := range services {
		ours.WriteString(service(fmt.Sprintf("s%d", i), s, "[service.check]\ntype = \"none\"\n", servers[i]...))
		host := strings.TrimSuffix(s, ":80")
		fmt.Fprintf(&theirs, "virtual_server %s 80 {\n\tlvs_sched rr\n\tlvs_method NAT\n\tprotocol TCP\n", host)
		fmt.Fprintf(&restore, "-A -t %s -s rr\n", s)
		for _, r := range servers[i] {
			fmt.Fprintf(&theirs, "\treal_server %s 80 {\n\t}\n", strings.TrimSuffix(r, ":80"))
			fmt.Fprintf(&restore, "-a -t %s -r %s -m -w 1\n", s, r)
		}
		theirs.WriteString("}\n")
	}
	tool, err := tools.Find("ipvsadm")
	if err != nil {
		t.Fatal(err)
	}
	p := lab.NewPair(t, 1)
	h := p.Directors[0]

	start := time.Now()
	d := h.Holdfast(ours.String())
	took := loaded(t, h, start)
	d.Stop()
	if n := entries(t, h); n > 0 {
		t.Errorf("%d entries are left", n)
	}

	start = time.Now()
	k := h.KeepalivedChecks(theirs.String())
	keepalived := loaded(t, h, start)
	k.Crash()
	h.Run("ipvsadm", "-C")

	file := p.Lab.WriteFile("rules", restore.String())
	start = time.Now()
	h.Run("sh", "-c", tool+" -R <"+file)
	ipvsadm := time.Since(start)
	t.Logf("%d services of %d servers: holdfast %v, keepalived %v, ipvsadm -R %v", *manyServices, serversEach, took, keepalived, ipvsadm)
}
