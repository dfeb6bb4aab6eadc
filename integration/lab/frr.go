package lab

import (
	"fmt"
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

	// FRR's daemons insist on a group of theirs, which the machine need not
	// have, and write below /run and /var/tmp: they see other ones.
	groups, err := os.ReadFile("/etc/group")
	if err != nil {
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	group := h.lab.WriteFile("frr-group", string(groups)+"\nfrrvty:x:65533:root\nfrr:x:65532:root\n")
	dir := filepath.Join(h.lab.dir, h.Name+"-frr")
	socket := filepath.Join(dir, "zserv.api")
	start := func(daemon, config string) *Process {
		path, err := tools.Find(daemon)
		if err != nil {
			h.lab.t.Fatalf("host %s: %v", h.Name, err)
		}
		file := h.lab.WriteFile(filepath.Join(h.Name+"-frr", daemon+".conf"), config)
		return h.Start("unshare", "-m", "sh", "-c", `mount --bind "$0" /etc/group && mount -t tmpfs none /run && mount -t tmpfs none /var/tmp && exec "$@"`, group, path,
			"-u", "root", "-g", "root", "-z", socket, "--vty_socket", dir, "-i", filepath.Join(dir, daemon+".pid"),
			"-f", file, "-P", "0", "--log", "stdout")
	}
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) { // of one that died
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	start("zebra", "")
	Wait(h.lab.t, 20*time.Second, "zebra's socket", func() (string, bool) {
		_, err := os.Stat(socket)
		return fmt.Sprint(err), err == nil
	})
	return start("vrrpd", config.String())
}

// bare is an address without its prefix length.
func bare(prefix string) string {
	address, _, _ := strings.Cut(prefix, "/")
	return address
}
