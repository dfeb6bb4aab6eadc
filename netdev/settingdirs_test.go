package netdev

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/sysctl"
)

// An interface that went and came back under its name has one directory, held
// twice for a while.
func TestSettingsHeldTwice(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	w := aWatch(t, h, slog.New(slog.DiscardHandler))
	before := w.held()
	w.hold(confDirOf("ipv4", "eth0", 777), &holding{})
	w.watchWaiting()
	reconcile(p.Director, h)
	w.watchWaiting()
	if got := w.held(); !slices.Equal(got, before) {
		t.Errorf("held: %v, want %v", got, before)
	}
	p.Director.Set("ipv4/conf/eth0/arp_ignore", "0")
	if c, n := w.receive(t); c != Damage {
		t.Errorf("%d events of concern %v", n, c)
	}
}

// A device that lost its IPv6 for a while comes back with settings that are
// nobody's, in a directory that was not watched.
func TestSettingsAnew(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec6())
	w := aWatch(t, h, slog.New(slog.DiscardHandler))
	p.Director.Run(`
		ip link set vrrp6-51 mtu 1000
		ip link set vrrp6-51 mtu 1500`)
	if len(reconcile(p.Director, h)) == 0 {
		t.Fatal("the settings are as before: this tests nothing")
	}
	w.watchWaiting()
	w.receive(t)
	p.Director.Set("ipv6/conf/vrrp6-51/accept_dad", "1")
	if c, _ := w.receive(t); c != Damage {
		t.Errorf("accept_dad was set, and that is of concern %v", c)
	}
}

// What we write ourselves, what others write that will do, and what is not ours
// is of no concern, and what was told is not told again.
func TestSettingsOwnWrites(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	w := aWatch(t, h, slog.New(slog.DiscardHandler))
	write := func(key, value string, want Concern) {
		t.Helper()
		p.Director.Set(key, value)
		if c, n := w.receive(t); c != want || n == 0 {
			t.Errorf("%s = %s: %d events of concern %v, want %v", key, value, n, c, want)
		}
	}
	write("ipv4/conf/vrrp4-51/arp_ignore", "1", Nothing)
	write("ipv4/conf/eth0/arp_ignore", "2", Nothing)
	write("ipv4/conf/eth0/arp_filter", "1", Nothing)
	write("ipv4/conf/eth0/forwarding", "1", Damage)
	write("ipv4/conf/vrrp4-51/arp_ignore", "0", Nothing) // told
	if len(reconcile(p.Director, h)) != 3 {              // forwarding of two, arp_ignore
		t.Error("the devices do not follow their parent")
	}
	if c, n := w.receive(t); c != Nothing || n < 3 {
		t.Errorf("our own writes: %d events of concern %v", n, c)
	}
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("again: %v", r)
	}
	if c, n := w.receive(t); c != Nothing || n != 0 {
		t.Errorf("a look without repairs: %d events of concern %v", n, c)
	}
	testns.Must(t, h.Remove("vrrp4-51", "vrrp6-51"))
	reconcile(p.Director, h)
	p.Director.Set("ipv4/conf/eth0/arp_ignore", "0")
	if c, _ := w.receive(t); c != Nothing {
		t.Errorf("an interface that was ours once is of concern %v", c)
	}
	if got, want := strings.Join(w.held(), " "), "ipv4/.. ipv4/all ipv4/default ipv6/all"; got != want {
		t.Errorf("watched without any device: %s, want %s", got, want)
	}
}

// When the kernel drops events everything is looked at.
func TestSettingsOverflow(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	w := aWatch(t, h, slog.New(slog.DiscardHandler))
	limit, err := sysctl.Read("../fs/inotify/max_queued_events")
	testns.Must(t, err)
	var most int
	fmt.Sscan(limit, &most)
	var files []*os.File
	for _, name := range []string{"arp_filter", "proxy_arp"} { // in turn, or they are one event
		f, err := os.OpenFile(filepath.Join(sysctl.Root, sysctl.Key("ipv4", "vrrp4-51", name)), os.O_WRONLY, 0)
		testns.Must(t, err)
		defer f.Close()
		files = append(files, f)
	}
	for i := range most + 2 {
		_, err := files[i%2].WriteAt([]byte("0"), 0)
		testns.Must(t, err)
	}
	if c, n := w.receive(t); c != Suspicion {
		t.Errorf("%d events, of concern %v", n, c)
	}
}

// What cannot be watched is said once, and tried again at the next look.
func TestSettingsLimit(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	var log bytes.Buffer
	w, err := openSettingWatch(slog.New(slog.NewTextHandler(&log, nil)))
	testns.Must(t, err)
	defer w.close()
	h.settings.Store(w)
	w.limit = 5
	for range 2 {
		reconcile(p.Director, h)
		w.watchWaiting()
	}
	if n := strings.Count(log.String(), "not all sysctls can be watched"); n != 1 || len(w.held()) != 5 {
		t.Errorf("%d directories are watched, and the log is:\n%s", len(w.held()), &log)
	}
	w.limit = 1000
	reconcile(p.Director, h)
	w.watchWaiting()
	want := "ipv4/.. ipv4/all ipv4/default ipv4/eth0 ipv4/vrrp4-51 ipv4/vrrp6-51 ipv6/all ipv6/eth0 ipv6/vrrp4-51 ipv6/vrrp6-51"
	if got := strings.Join(w.held(), " "); got != want {
		t.Errorf("watched: %s, want %s", got, want)
	}
	err = usedUp(unix.ENOSPC, unix.ENOSPC, "fs.inotify.max_user_watches")
	if want := "fs.inotify.max_user_watches is used up (no space left on device)"; err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// Not in parallel: it counts the files of the process.
func TestSettingsWatchEnds(t *testing.T) {
	p := testns.NewPair(t)
	open := func() (n int) {
		files, err := os.ReadDir("/proc/self/fd")
		testns.Must(t, err)
		for _, f := range files {
			to, _ := os.Readlink("/proc/self/fd/" + f.Name())
			if strings.HasPrefix(to, sysctl.Root) || strings.Contains(to, "inotify") {
				n++
			}
		}
		return n
	}
	before := open()
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	t.Run("watch", func(t *testing.T) {
		runtime.LockOSThread() // as newNS does
		p.Director.Enter()
		told(t, h)
		if n := open(); n != before+1+2+10 {
			t.Errorf("%d files are open, %d before", n, before)
		}
	})
	if n := open(); n != before {
		t.Errorf("%d files are open, %d before", n, before)
	}
}
