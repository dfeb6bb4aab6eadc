package ipvs_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// agent answers every connection to a realserver's port with a line.
func agent(h *lab.Host, address string) (say func(line string)) {
	var now atomic.Value
	now.Store("up\n")
	l := h.Listen(address)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				_, _ = io.WriteString(c, now.Load().(string))
			}(conn)
		}
	}()
	return func(line string) { now.Store(line) }
}

// Programs, files, agents and BFD sessions move weights in the kernel's table, and
// take servers out of it.
func TestChecksOfThisHost(t *testing.T) {
	p := lab.NewPair(t, 1)
	dir := tools.Dir(t)
	say := agent(p.Realservers[1], "192.168.0.12:9999")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("program", "7\n")
	write("load", "0\n")
	far := p.Realservers[0].FRRBFD(lab.BFDSession{
		Neighbour: "192.168.0.2", Source: "192.168.0.11", Interface: "eth0", Interval: 300 * time.Millisecond, Multiplier: 10,
	})
	server := func(i int, check string) string {
		return fmt.Sprintf("[[service.server]]\naddress = \"192.168.0.%d\"\nweight = 20\n[service.server.check]\n%s\n", i, check)
	}
	timing := "interval = \"2s\"\ntimeout = \"2s\"\nretry_interval = \"500ms\"\n" // the guest is slow
	d := start(t, p, "[[bfd]]\nname = \"rs1\"\nneighbour = \"192.168.0.11\"\nmultiplier = 10\n"+
		service("web", lab.VIP+":80", "")+
		server(11, fmt.Sprintf("type = \"external\"\ntimeout = \"2s\"\nweight = \"output\"\ncommand = [\"/bin/sh\", \"-c\", \"cat %s/program; test $HOLDFAST_ADDRESS = 192.168.0.11\"]\n", dir))+
		server(12, "type = \"agent\"\nport = 9999\n"+timing)+
		server(13, fmt.Sprintf("type = \"file\"\nfile = \"%s/load\"\nweight = -2\ninterval = \"1h\"\n", dir))+
		service("tunnelled", lab.VIP+":81", "")+
		server(11, "type = \"bfd\"\nbfd = \"rs1\"\n"))[0]
	in := func(parts ...string) { t.Helper(); awaitTable(t, p.Directors[0], parts...) }
	const (
		program  = "10.0.0.100:80 -r 192.168.0.11:80 -m -w "
		agented  = "10.0.0.100:80 -r 192.168.0.12:80 -m -w "
		filed    = "10.0.0.100:80 -r 192.168.0.13:80 -m -w "
		bfdServe = "10.0.0.100:81 -r 192.168.0.11:81 -m -w 20"
	)
	in(program+"7\n", agented+"20\n", filed+"20\n", bfdServe)

	write("program", "+3 more\n")
	say("50%\n")
	write("load", "4\n") // the file is watched: the next reading is an hour away
	in(program+"23\n", agented+"10\n", filed+"12\n")

	if err := os.Remove(filepath.Join(dir, "program")); err != nil {
		t.Fatal(err)
	}
	say("drain\n")
	awaitReason(t, d, "web/192.168.0.11:80", "up", "")
	in(program+"23\n", agented+"0\n") // a program without a weight leaves the last

	say("down # updating\n")
	awaitReason(t, d, "web/192.168.0.12:80", "down", "the agent says down: updating")
	in("!" + agented)

	far.Crash()
	awaitReason(t, d, "tunnelled/192.168.0.11:81", "down", "control detection time expired")
	in("!" + bfdServe)
}
