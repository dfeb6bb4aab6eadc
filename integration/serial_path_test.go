package integration_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// pointToPoint makes the interface ppp0 of a host, which carries IP packets without a link
// header, as pppd makes it of a serial line. What the kernel sends by it is read from the
// file.
func pointToPoint(t *testing.T, h *lab.Host, own, peer string) *os.File {
	t.Helper()
	var line *os.File
	err := h.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq("ppp0")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
		line = os.NewFile(uintptr(fd), "ppp0") // now that it is an interface, it can be polled
		return nil
	})
	if err != nil {
		t.Fatalf("make ppp0: %v", err)
	}
	t.Cleanup(func() { line.Close() })
	h.Run("ip", "address", "add", own, "peer", peer, "dev", "ppp0")
	h.Run("ip", "link", "set", "ppp0", "mtu", "296", "up") // as small as SLIP's
	return line
}

// carry is the cable: it takes packets from one end to the other.
func carry(from, to *os.File) {
	packet := make([]byte, 1500)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		_, _ = to.Write(packet[:n]) // a line loses packets
	}
}

// A serial line with PPP is a path for adverts, as heartbeat's serial was: with a dead
// switch between them the directors still are one MASTER and one BACKUP.
func TestPathBySerialLine(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	lines := [2]*os.File{
		pointToPoint(t, p.Directors[0], "10.255.255.1", "10.255.255.2"), pointToPoint(t, p.Directors[1], "10.255.255.2", "10.255.255.1"),
	}
	go carry(lines[0], lines[1])
	go carry(lines[1], lines[0])
	var d [2]*lab.Daemon
	for i, host := range p.Directors {
		also := fmt.Sprintf("\n[[vrrp.also]]\ninterface = \"ppp0\"\nunicast = true\npeers = [\"10.255.255.%d\"]\n", 2-i)
		d[i] = host.Holdfast(outside(3, 200-100*i, also))
		d[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	heardBy(t, d[1], 1, 3)
	before := transitions(t, d[0]) + transitions(t, d[1])
	eth0 := p.Directors[1].Wires["eth0"]
	eth0.BlackHole()
	if text := pathProblems(t, d[1], "eth0"); !strings.Contains(text, "is heard by another path") {
		t.Errorf("the problem is %q", text)
	}
	heardBy(t, d[1], 1, 20)
	if after := transitions(t, d[0]) + transitions(t, d[1]); after != before {
		t.Errorf("%d transitions", after-before)
	}
	lines[0].Close()
	d[1].AwaitState(t, "MASTER") // it was the line that held it
}
