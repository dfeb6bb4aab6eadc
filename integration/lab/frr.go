package lab

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/integration/tools"
)

// FRR runs virtual routers with FRR's vrrpd. It wants each macvlan with its
// addresses made beforehand and then keeps it in protodown while it is BACKUP.
func (h *Host) FRR(routers ...VirtualRouter) *Process {
	h.lab.t.Helper()
	var config strings.Builder
	config.WriteString("debug vrrp\n")
	for _, r := range routers {
		fmt.Fprintf(&config, "interface %s\n vrrp %d version %d\n vrrp %d priority %d\n vrrp %d advertisement-interval %d\n",
			r.Interface, r.VRID, r.Version, r.VRID, r.Priority, r.VRID, r.Interval.Milliseconds())
		device, mac, family := fmt.Sprintf("vrrp4-%d", r.VRID), VirtualMAC(byte(r.VRID)), "ip"
		if strings.Contains(r.Addresses[0], ":") {
			device, mac, family = fmt.Sprintf("vrrp6-%d", r.VRID), VirtualMAC6(byte(r.VRID)), "ipv6"
		}
		h.Run("ip", "link", "add", device, "link", r.Interface, "address", mac.String(), "type", "macvlan", "mode", "bridge")
		h.Run("ip", "link", "set", device, "addrgenmode", "none")
		for _, address := range r.Addresses {
			h.Address(device, address)
			fmt.Fprintf(&config, " vrrp %d %s %s\n", r.VRID, family, bare(address))
		}
		h.Run("ip", "link", "set", device, "up")
		if r.NoPreempt {
			fmt.Fprintf(&config, " no vrrp %d preempt\n", r.VRID)
		}
		for _, line := range r.Lines {
			fmt.Fprintf(&config, " vrrp %d %s\n", r.VRID, line)
		}
	}
	return h.frr().start("vrrpd", config.String())
}

// An frr is FRR on a host: zebra runs, and other daemons can be started.
type frr struct {
	host  *Host
	dir   string // of its sockets
	group string // a file of groups with FRR's
	zebra *Process
}

// frr returns FRR on the host, and starts it unless it runs.
func (h *Host) frr() *frr {
	h.lab.t.Helper()
	if h.running != nil && h.running.zebra.Alive() {
		return h.running
	}
	// FRR's daemons need a group of their own, which the machine may not have,
	// and write below /run and /var/tmp. They get private ones.
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	f := &frr{host: h, dir: filepath.Join(h.lab.dir, h.Name+"-frr")}
	f.group = h.lab.WriteFile("frr-group", string(groups)+"\nfrrvty:x:65533:root\nfrr:x:65532:root\n")
	if err := os.Remove(f.socket()); err != nil && !os.IsNotExist(err) { // of one that died
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	f.zebra = f.start("zebra", "")
	Wait(h.lab.t, 20*time.Second, "zebra's socket", func() (string, bool) {
		_, err := os.Stat(f.socket())
		return fmt.Sprint(err), err == nil
	})
	h.running = f
	return f
}

func (f *frr) socket() string { return filepath.Join(f.dir, "zserv.api") }

// start starts a daemon with a configuration.
func (f *frr) start(daemon, config string, args ...string) *Process {
	h := f.host
	h.lab.t.Helper()
	path, err := tools.Find(daemon)
	if err != nil {
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	file := h.lab.WriteFile(filepath.Join(h.Name+"-frr", daemon+".conf"), config)
	own := []string{
		"-m", "sh", "-c", `mount --bind "$0" /etc/group && mount -t tmpfs none /run && mount -t tmpfs none /var/tmp && exec "$@"`, f.group, path,
		"-u", "root", "-g", "root", "-z", f.socket(), "--vty_socket", f.dir, "-i", filepath.Join(f.dir, daemon+".pid"),
		"-f", file, "-P", "0", "--log", "stdout",
	}
	return h.Start("unshare", append(own, args...)...)
}

// ask has a daemon carry out a command and returns what it said.
func (f *frr) ask(daemon, command string) ([]byte, error) {
	fail := func(err error) ([]byte, error) { return nil, fmt.Errorf("ask %s: %s: %w", daemon, command, err) }
	conn, err := net.Dial("unix", filepath.Join(f.dir, daemon+".vty"))
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return fail(err)
	}
	if _, err := converse(conn, "enable"); err != nil {
		return fail(err)
	}
	said, err := converse(conn, command)
	if err != nil {
		return fail(err)
	}
	return said, nil
}

// converse sends a command, which ends with a zero byte, and reads the answer,
// which ends with three and a status.
func converse(conn net.Conn, command string) ([]byte, error) {
	if _, err := conn.Write(append([]byte(command), 0)); err != nil {
		return nil, err
	}
	var said []byte
	for part := make([]byte, 4096); ; {
		n, err := conn.Read(part)
		if err != nil {
			return nil, err
		}
		said = append(said, part[:n]...)
		if text, status, done := bytes.Cut(said, []byte{0, 0, 0}); done && len(status) == 1 {
			return text, nil
		}
	}
}

// bare is an address without its prefix length.
func bare(prefix string) string {
	address, _, _ := strings.Cut(prefix, "/")
	return address
}
