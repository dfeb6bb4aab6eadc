package integration_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// A sysctl that cannot be put back hides nothing else: while /proc/sys is read-only
// for the daemon, as in a container, a deleted VIP comes back at once, and status
// names the sysctl until it can be put back.
func TestReadOnlySysctlHidesNothing(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	host := p.Directors[0]
	config := fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\ninterval = \"100ms\"\naddresses = [\"%s/24\"]\n", lab.VIP)
	plain := host.NewDaemon(config)
	// The daemon gets mounts of its own.
	script := p.WriteFile("apart.sh", fmt.Sprintf("#!/bin/sh\n[ \"$1\" = run ] && exec unshare --mount --propagation private %s \"$@\"\nexec %s \"$@\"\n",
		plain.Binary(), plain.Binary()))
	host.Run("chmod", "755", script)
	d := host.HoldfastAt(script, config)
	d.AwaitState(t, "MASTER")
	remount := func(how string) {
		t.Helper()
		host.Run("nsenter", "--mount", "--target", strconv.Itoa(d.Pid()), "mount", "-o", "remount,bind,"+how, "/proc/sys")
	}
	host.Run("nsenter", "--mount", "--target", strconv.Itoa(d.Pid()), "mount", "--bind", "/proc/sys", "/proc/sys")
	remount("ro")
	const sysctlName = "net.ipv4.conf.eth0.arp_ignore"
	path := "net/ipv4/conf/eth0/arp_ignore"
	if now := sysctl(host, path); now != "1" {
		t.Fatalf("%s is %s: the test tests nothing", sysctlName, now)
	}
	host.Sysctl(path, "0")
	deleteVIP(t, host)
	lab.Wait(t, 3*time.Second, "the VIP is back", func() (string, bool) { return deviceServes(host) })
	lab.Wait(t, 3*time.Second, "status names the sysctl", func() (string, bool) {
		out, _, err := d.CLI("status")
		return out, err != nil && strings.Contains(out, "UNWELL: ") && strings.Contains(out, sysctlName)
	})
	if s, err := d.Status(); err != nil || s.VRRP[0].State != "MASTER" {
		t.Errorf("it is %+v, %v", s.States(), err)
	}
	remount("rw")
	lab.Wait(t, 15*time.Second, "all is well", func() (string, bool) {
		out, _, err := d.CLI("status")
		return out + sysctl(host, path), err == nil && sysctl(host, path) == "1"
	})
}
