package integration_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// deadMount mounts a file system whose server does not answer, and returns where.
// Whoever looks at something in it waits until end is called.
func deadMount(t *testing.T) (dir string, end func()) {
	t.Helper()
	dir = t.TempDir()
	server, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		tools.Without(t, "netns", "no file system without a server: "+err.Error())
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server)
	if err := unix.Mount("dead", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		_ = unix.Close(server)
		tools.Without(t, "netns", "no file system without a server: "+err.Error())
	}
	end = sync.OnceFunc(func() {
		if err := errors.Join(unix.Close(server), unix.Unmount(dir, unix.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return dir, end
}

// While a file of the configuration hangs, a reload and a plan say so in the end,
// and meanwhile the director answers, sends adverts, and stops when it is told to.
func TestFileThatHangs(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	config := fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\ninterval = \"100ms\"\naddresses = [\"%s/24\"]\n", lab.VIP)
	d := p.Directors[0].Holdfast(config)
	d.AwaitState(t, "MASTER")
	dead, end := deadMount(t)
	d.Configure(fmt.Sprintf("%s[[notify.webhook]]\nname = \"w\"\nurl = \"https://127.0.0.1/\"\nca = %q\n", config, filepath.Join(dead, "ca.pem")))
	said := make(chan string, 2)
	for _, verb := range []string{"reload", "plan"} {
		go func() {
			_, complaint, err := p.Directors[0].Output(d.Binary(), verb, "--socket", filepath.Join(d.RuntimeDir(), "control.sock"))
			said <- fmt.Sprintf("%s: %v: %s", verb, err, complaint)
		}()
	}
	d.Signal(syscall.SIGHUP)
	adverts(t, p.Directors[0], 20)
	began := time.Now()
	if _, err := d.Status(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("status took %v", took)
	}
	for range 2 {
		if text := <-said; !strings.Contains(text, "exit status 1") || !strings.Contains(text, "was not read") || !strings.Contains(text, dead) {
			t.Errorf("said %q", text)
		}
	}
	d.Signal(syscall.SIGHUP) // and hangs again
	lab.Wait(t, 10*time.Second, "the refusal is known", func() (string, bool) {
		out, _, _ := d.CLI("status")
		return out, strings.Contains(out, "last reload failed")
	})
	d.Signal(syscall.SIGTERM)
	lab.Wait(t, 5*time.Second, "the daemon stops", func() (string, bool) {
		links := p.Directors[0].Run("ip", "-o", "link", "show")
		return links, !strings.Contains(links, "vrrp4-51")
	})
	end() // the kernel may keep a process that waits for a file
	d.Stop()
}

// What lies in the runtime directory in place of a file is refused, and not waited
// for: by a start, and by a release.
func TestPipesInTheRuntimeDirectory(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	config := fmt.Sprintf("[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\ninterval = \"100ms\"\naddresses = [\"%s/24\"]\n", lab.VIP)
	d := p.Directors[0].NewDaemon(config)
	dir := d.RuntimeDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"upgrade.json", "history.json", "trackers.json", "ipvs.json"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.Restart()
	d.AwaitState(t, "MASTER")
	d.Stop()
	if err := syscall.Mkfifo(filepath.Join(dir, "netdev.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, complaint, err := d.CLI("release"); err == nil || !strings.Contains(complaint, "netdev.json") {
		t.Errorf("release: %v: %s", err, complaint)
	}
}
