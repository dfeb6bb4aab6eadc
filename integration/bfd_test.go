package integration_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// bfdPace and bfdMultiplier make a detection time that no busy machine exceeds
// by itself.
const (
	bfdPace       = 300 * time.Millisecond
	bfdMultiplier = 6
)

// A bfdSession is one of holdfast's, as the status shows it.
type bfdSession struct {
	Name          string            `json:"name"`
	State         string            `json:"state"`
	Reason        string            `json:"reason"`
	Discriminator uint32            `json:"discriminator"`
	Port          int               `json:"port"`
	TxMS          float64           `json:"tx_ms"`
	DetectionMS   float64           `json:"detection_ms"`
	Sent          uint64            `json:"packets_sent"`
	Received      uint64            `json:"packets_received"`
	Downs         uint64            `json:"downs"`
	Dropped       map[string]uint64 `json:"dropped"`
	Trouble       string            `json:"trouble"`
}

// bfdSessions asks a daemon for its sessions.
func bfdSessions(d *lab.Daemon) ([]bfdSession, error) {
	var s struct {
		BFD struct {
			Sessions []bfdSession `json:"sessions"`
		} `json:"bfd"`
	}
	err := d.StatusInto(&s)
	return s.BFD.Sessions, err
}

// awaitBFD waits until all sessions of a daemon are as wanted.
func awaitBFD(t *testing.T, d *lab.Daemon, what string, ok func(bfdSession) bool) []bfdSession {
	t.Helper()
	var list []bfdSession
	lab.Wait(t, 30*time.Second, "BFD: "+what, func() (string, bool) {
		var err error
		if list, err = bfdSessions(d); err != nil || len(list) == 0 {
			return fmt.Sprint(err), false
		}
		for _, s := range list {
			if !ok(s) {
				return fmt.Sprintf("%+v", s), false
			}
		}
		return "", true
	})
	return list
}

// awaitText waits until the status says something.
func awaitText(t *testing.T, d *lab.Daemon, want string) {
	t.Helper()
	lab.Wait(t, 20*time.Second, fmt.Sprintf("the status says %q", want), func() (string, bool) {
		text, _, _ := d.CLI("status", "vrrp") // exits with 1 in FAULT
		return text, strings.Contains(text, want)
	})
}

func isUp(s bfdSession) bool { return s.State == "Up" }

// bfdTables writes the tables of sessions and a tracker of each.
func bfdTables(weight int, pace time.Duration, sessions ...string) string {
	var tables, names []string
	for i, lines := range sessions {
		name := fmt.Sprintf("session%d", i)
		names = append(names, fmt.Sprintf("{ name = %q, weight = %d }", name, weight))
		tables = append(tables, fmt.Sprintf("[[track]]\nname = %q\ntype = \"bfd\"\nbfd = %q\n[[bfd]]\nname = %q\nmin_tx = %q\nmin_rx = %q\nmultiplier = %d\n%s",
			name, name, name, pace, pace, bfdMultiplier, lines))
	}
	return "track = [" + strings.Join(names, ", ") + "]\n" + strings.Join(tables, "\n")
}

// farAddress is one of the router's that is not on the link, as 10.98.0.1 is one
// of the director's.
const farAddress = "10.99.0.1"

// With FRR as the router, sessions of every kind come up, survive a reload and an
// upgrade without a flap, detect in time that the router is gone, and end with
// AdminDown.
func TestBFD(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	lvs1 := p.Directors[0]
	p.Router.Address("lo", farAddress+"/32")
	lvs1.Route(farAddress+"/32", lab.RouterIP)
	ours, theirs := linkLocal(lvs1.Wires["eth0"].MAC), linkLocal(p.Router.Wires["eth0"].MAC)
	lvs1.Address("lo", "10.98.0.1/32")
	p.Router.Route("10.98.0.1/32", "10.0.0.2")
	session := func(neighbour, source, device string) lab.BFDSession {
		return lab.BFDSession{Neighbour: neighbour, Source: source, Interface: device, Interval: bfdPace, Multiplier: bfdMultiplier}
	}
	far := session("10.98.0.1", farAddress, "")
	far.Multihop = true
	sessions := []lab.BFDSession{
		session("10.0.0.2", lab.RouterIP, "eth0"), session("2001:db8:a::2", "2001:db8:a::1", "eth0"),
		session(ours, theirs, "eth0"), far,
	}
	var neighbours []string
	for _, s := range sessions {
		neighbours = append(neighbours, s.Neighbour)
	}
	capture := lvs1.Wires["eth0"].Capture()
	frr := p.Router.FRRBFD(sessions...)
	tables := func(pace time.Duration) string {
		return lab.Director{Priority: priorities[0], Interval: fast, More: bfdTables(-20, pace,
			"neighbour = \"10.0.0.1\"\n", "neighbour = \"2001:db8:a::1\"\nsource = \"2001:db8:a::2\"\n",
			fmt.Sprintf("neighbour = %q\ninterface = \"eth0\"\n", theirs),
			fmt.Sprintf("neighbour = %q\nsource = \"10.98.0.1\"\nmultihop = true\n", farAddress))}.TOML()
	}
	one := lvs1.Holdfast(tables(bfdPace))
	one.AwaitState(t, "MASTER")
	two := p.Directors[1].Holdfast(lab.Director{Priority: priorities[1], Interval: fast}.TOML())
	two.AwaitState(t, "BACKUP")
	before := awaitBFD(t, one, "all are up", func(s bfdSession) bool {
		return isUp(s) && s.TxMS == 300 && s.DetectionMS == 300*bfdMultiplier
	})
	frr.Await(t, "all are up", func(b lab.BFDPeer) bool { return b.Status == "up" && b.RemoteTransmit == 300 }, neighbours...)

	// Other timers, by a poll sequence.
	one.Configure(tables(400 * time.Millisecond))
	if err := one.Reload(); err != nil {
		t.Fatal(err)
	}
	frr.Await(t, "other timers", func(b lab.BFDPeer) bool { return b.RemoteTransmit == 400 && b.RemoteReceive == 400 }, neighbours...)

	own := mark(t, one)
	obeyed(t, one, "upgrade")
	after := awaitBFD(t, one, "all are up after the upgrade", func(s bfdSession) bool {
		return isUp(s) && s.TxMS == 400 && s.Received > 10
	})
	for i, s := range after {
		if s.Discriminator != before[i].Discriminator || s.Port != before[i].Port {
			t.Errorf("before the upgrade %+v, after it %+v", before[i], s)
		}
	}
	frr.Await(t, "the usual pace after the upgrade", func(b lab.BFDPeer) bool { return b.Status == "up" && b.RemoteTransmit == 400 }, neighbours...)
	if fell := events(t, one, own).Of("bfd", "tracker"); len(fell) > 0 {
		t.Errorf("the upgrade made news:\n%v", fell)
	}
	peers, err := frr.Peers()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range peers {
		if b.Downs > 0 {
			t.Errorf("bfdd saw the session with %s fall", b.Peer)
		}
	}

	// The router's carrier stays, and so do the directors': only BFD can know.
	p.Router.Wires["eth0"].BlackHole()
	two.AwaitState(t, "MASTER")
	one.AwaitState(t, "BACKUP")
	awaitText(t, one, "120 of 200")
	awaitText(t, one, "no packet for 2.4s: control detection time expired")
	p.Router.Wires["eth0"].Restore()
	one.AwaitState(t, "MASTER")
	two.AwaitState(t, "BACKUP")
	awaitBFD(t, one, "all are up again", isUp)
	said, _, err := one.CLI("events")
	for _, want := range []string{" bfd session0 Up -> Down: no packet for 2.4s: control detection time expired", " -> Up: the neighbour receives our packets", " tracker session0 up -> down: no packet"} {
		if err != nil || !strings.Contains(said, want) {
			t.Errorf("the events do not have %q (%v):\n%s", want, err, said)
		}
	}

	one.Signal(unix.SIGTERM)
	frr.Await(t, "the end of holdfast", func(b lab.BFDPeer) bool {
		return b.Status == "down" && b.RemoteDiagnostic == "administratively down"
	}, neighbours...)
	checkBFDWire(t, p, capture)
}

// checkBFDWire has tshark read what both sides said.
func checkBFDWire(t *testing.T, p *lab.Pair, capture *lab.Capture) {
	t.Helper()
	if _, err := tools.Find("tshark"); err != nil {
		tools.Without(t, "netns", err)
	}
	path := filepath.Join(p.Dir(), "bfd.pcap")
	if err := capture.WritePcap(path); err != nil {
		t.Fatal(err)
	}
	const ours = "(ip.src == 10.0.0.2 || ip.src == 10.98.0.1 || ipv6.src == 2001:db8:a::2)"
	if wrong := tshark(t, p, path, "bfd && (_ws.malformed || _ws.expert.severity >= 0x00600000)"); wrong != "" {
		t.Errorf("tshark objects to\n%s", wrong)
	}
	if wrong := tshark(t, p, path, ours+" && bfd && (ip.ttl != 255 || ipv6.hlim != 255 || udp.srcport < 49152)"); wrong != "" {
		t.Errorf("sent with another TTL or from another port:\n%s", wrong)
	}
	for _, want := range []string{
		"bfd.sta == 3 && udp.dstport == 3784 && ip", "bfd.sta == 3 && udp.dstport == 3784 && ipv6", "bfd.sta == 3 && udp.dstport == 4784",
		"bfd.flags.p == 1", "bfd.flags.f == 1", "bfd.sta == 0 && bfd.diag == 7", "bfd.desired_min_tx_interval == 400000",
	} {
		if tshark(t, p, path, ours+" && "+want) == "" {
			t.Errorf("tshark finds no packet of ours with %s", want)
		}
	}
}

// The same beside keepalived, whose virtual router tracks the sessions, too.
func TestBFDBesideKeepalived(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	router := lab.KeepalivedConfig(false, lab.VirtualRouter{
		Name: "VI", Version: 3, Interface: "eth0", VRID: 99, Priority: 100, Interval: time.Second, Addresses: []string{"10.0.0.99/24"},
		Lines: []string{"track_bfd {\n\t\t10.0.0.2\n\t\t2001:db8:a::2\n\t}"},
	})
	theirs := p.Router.KeepalivedBFD(router,
		lab.BFDSession{Neighbour: "10.0.0.2", Source: lab.RouterIP, Interval: bfdPace, Multiplier: bfdMultiplier},
		lab.BFDSession{Neighbour: "2001:db8:a::2", Source: "2001:db8:a::1", Interval: bfdPace, Multiplier: bfdMultiplier, Lines: []string{"hoplimit 255"}})
	one := p.Directors[0].Holdfast(lab.Director{Priority: priorities[0], Interval: fast, More: bfdTables(0, bfdPace,
		"neighbour = \"10.0.0.1\"\n", "neighbour = \"2001:db8:a::1\"\nsource = \"2001:db8:a::2\"\n")}.TOML())
	one.AwaitState(t, "MASTER")
	two := p.Directors[1].Holdfast(lab.Director{Priority: priorities[1], Interval: fast}.TOML())
	two.AwaitState(t, "BACKUP")
	awaitBFD(t, one, "all are up", func(s bfdSession) bool { return isUp(s) && s.TxMS == 300 && s.DetectionMS == 300*bfdMultiplier })
	theirState := func(what, line string, times int) {
		t.Helper()
		lab.Wait(t, 20*time.Second, "keepalived: "+what, func() (string, bool) {
			log := theirs.LogText()
			return log, strings.Count(log, line) >= times
		})
	}
	theirState("its virtual router is MASTER", "(VI) Entering MASTER STATE", 1)

	obeyed(t, one, "upgrade")
	awaitBFD(t, one, "all are up after the upgrade", func(s bfdSession) bool { return isUp(s) && s.TxMS == 300 && s.Received > 10 })
	if log := theirs.LogText(); strings.Contains(log, "(VI) Entering FAULT STATE") {
		t.Errorf("the upgrade cost a session:\n%s", log)
	}

	p.Router.Wires["eth0"].BlackHole()
	two.AwaitState(t, "MASTER")
	one.AwaitState(t, "FAULT")
	theirState("its virtual router is in FAULT", "(VI) Entering FAULT STATE", 1)
	for i := range 2 {
		awaitText(t, one, fmt.Sprintf("tracker session%d is down: no packet for 1.8s: control detection time expired", i))
	}
	p.Router.Wires["eth0"].Restore()
	one.AwaitState(t, "MASTER")
	theirState("its virtual router is MASTER again", "(VI) Entering MASTER STATE", 2)
	if code := one.Stop(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	theirState("our end", "Remote diagnostic - Administratively Down", 2)
}
