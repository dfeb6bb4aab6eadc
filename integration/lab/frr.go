package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/integration/tools"
)

// FRR runs a virtual router (IPv4, version 3) with FRR's vrrpd. It wants the
// macvlan with its address made beforehand and then keeps it in protodown while
// it is BACKUP.
func (h *Host) FRR(r VirtualRouter) *Process {
	h.lab.t.Helper()
	device := fmt.Sprintf("vrrp4-%d", r.VRID)
	h.Run("ip", "link", "add", device, "link", r.Interface, "address", VirtualMAC(byte(r.VRID)).String(), "type", "macvlan", "mode", "bridge")
	h.Run("ip", "link", "set", device, "addrgenmode", "none")
	var config strings.Builder
	fmt.Fprintf(&config, "interface %s\n vrrp %d version %d\n vrrp %d priority %d\n vrrp %d advertisement-interval %d\n",
		r.Interface, r.VRID, r.Version, r.VRID, r.Priority, r.VRID, r.Interval.Milliseconds())
	for _, address := range r.Addresses {
		h.Run("ip", "addr", "add", address, "dev", device)
		fmt.Fprintf(&config, " vrrp %d ip %s\n", r.VRID, bare(address))
	}
	h.Run("ip", "link", "set", device, "up")

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
