package netdev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"

	"golang.org/x/sys/unix"
)

// aWatch returns the watch of a Host whose devices have been looked at, with
// every directory watched that is to be. Nothing runs; what is written waits in
// its queue.
func aWatch(t *testing.T, h *Host, log *slog.Logger) *settingWatch {
	t.Helper()
	w, err := openSettingWatch(log)
	testns.Must(t, err)
	t.Cleanup(w.close)
	h.settings.Store(w)
	if _, err := h.Reconcile(); err != nil {
		t.Fatal(err)
	}
	if !w.watchWaiting() {
		t.Fatal("nothing is watched")
	}
	return w
}

// hear judges what has been written so far, and returns how many events it was.
func (w *settingWatch) hear(t *testing.T) (c Concern, events int) {
	t.Helper()
	buf := make([]byte, 1<<20)
	for {
		n, err := unix.Read(w.queue, buf)
		if errors.Is(err, unix.EAGAIN) {
			return c, events
		}
		testns.Must(t, err)
		events += n / 32 // each has a name of up to 16 bytes
		c = max(c, w.judge(buf[:n]))
	}
}

// told runs the watch of a Host and returns what it tells. When it returns,
// everything is watched.
func told(t *testing.T, h *Host) <-chan Concern {
	t.Helper()
	run, err := h.WatchSettings(slog.New(slog.DiscardHandler))
	testns.Must(t, err)
	w := h.settings.Load()
	ctx, cancel := context.WithCancel(context.Background())
	concerns, ended := make(chan Concern, 1), make(chan struct{})
	go func() {
		defer close(ended)
		run(ctx, func(c Concern) {
			select {
			case concerns <- c:
			case <-ctx.Done():
			}
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		if h.settings.Load() != nil {
			t.Error("the Host has a watch that has ended")
		}
	})
	if _, err := h.Reconcile(); err != nil {
		t.Fatal(err)
	}
	awaitConcern(t, concerns, "what is new", Suspicion)
	if w.watchWaiting() {
		t.Error("not everything was watched")
	}
	return concerns
}

func awaitConcern(t *testing.T, concerns <-chan Concern, what string, want Concern) {
	t.Helper()
	select {
	case c := <-concerns:
		if c != want {
			t.Fatalf("%s is of concern %v, want %v", what, c, want)
		}
	case <-time.After(5 * time.Second):
		t.Fatalf("not told within 5 s: %s", what)
	}
}

// turned returns another value for a sysctl.
func turned(key, now string) string {
	switch {
	case now == "0":
		return "1"
	case strings.HasSuffix(key, "_interval"): // milliseconds, which the kernel has in ticks
		return "500"
	}
	return "0"
}

// Every setting that we hold is told of when somebody turns it back, and then
// is put right.
func TestSettingsTurnedBack(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	p.Director.Set("ipv4/conf/all/rp_filter", "1") // so that those of others are held
	p.Director.Set("ipv4/conf/eth0/promote_secondaries", "0")
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	testns.Must(t, h.Claim("vrrp6-51"))
	concerns := told(t, h)

	var keys []string
	for _, s := range slices.Concat(fixed4, []setting{{family: "ipv6", name: "disable_ipv6"}}) {
		keys = append(keys, confKey(s.family, "vrrp4-51", s.name))
	}
	for _, s := range slices.Concat(fixed4, fixed6) {
		keys = append(keys, confKey(s.family, "vrrp6-51", s.name))
	}
	for _, name := range copied4 {
		keys = append(keys, confKey("ipv4", "vrrp4-51", name))
	}
	for _, name := range copied6 {
		keys = append(keys, confKey("ipv6", "vrrp6-51", name))
	}
	for _, name := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
		keys = append(keys, confKey("ipv4", "eth0", name))
	}
	keys = append(keys, confKey("ipv4", "lo", "rp_filter"))
	for _, key := range keys {
		want := p.Director.Get(key)
		p.Director.Set(key, turned(key, want))
		awaitConcern(t, concerns, key, Damage)
		repairs := texts(reconcile(p.Director, h))
		if !slices.ContainsFunc(repairs, func(r string) bool { return strings.Contains(r, sysctlName(key)+" was ") }) {
			t.Errorf("%s: the repairs are %v", key, repairs)
		}
		if now := p.Director.Get(key); now != want {
			t.Errorf("%s is %s, it was %s", key, now, want)
		}
	}
}

// What the parent lets through its macvlans let through; what the host has for
// all interfaces is copied to them by the kernel.
func TestSettingsCopied(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4(), spec6())
	concerns := told(t, h)
	for _, c := range []struct {
		key, device string
		want        Concern
		follows     bool
	}{
		{"ipv4/conf/eth0/route_localnet", "ipv4/conf/vrrp4-51/route_localnet", Damage, true},
		{"ipv6/conf/eth0/accept_source_route", "ipv6/conf/vrrp6-51/accept_source_route", Damage, true},
		{"ipv4/ip_forward", "ipv4/conf/vrrp4-51/forwarding", Suspicion, true},
		{"ipv6/conf/all/disable_ipv6", "ipv6/conf/vrrp6-51/disable_ipv6", Suspicion, false},
		{"ipv4/conf/default/accept_local", "ipv4/conf/vrrp4-51/accept_local", Suspicion, false},
	} {
		was, before := p.Director.Get(c.key), p.Director.Get(c.device)
		value := turned(c.key, was)
		p.Director.Set(c.key, value)
		awaitConcern(t, concerns, c.key, c.want)
		reconcile(p.Director, h)
		want := before
		if c.follows {
			want = value
		}
		if now := p.Director.Get(c.device); now != want {
			t.Errorf("%s became %s, and %s is %s, want %s", c.key, value, c.device, now, want)
		}
	}
}

// With the name of an interface its directory is another, also when it has got
// its old name back.
func TestSettingsAfterRename(t *testing.T) {
	t.Parallel()
	p := testns.NewPair(t)
	h := openHost(t, p.Director, t.TempDir())
	defer h.Close()
	ensure(t, h, spec4())
	w := aWatch(t, h, slog.New(slog.DiscardHandler))
	p.Director.Run("ip link add link eth0 name other type macvlan mode bridge")
	reconcile(p.Director, h)
	w.watchWaiting()
	rename := func(from, to string) (concern Concern) {
		p.Director.Run("ip link set " + from + " name " + to)
		return h.Concerns(Event{Kind: LinkChanged, Index: p.Director.Index(to), Name: to, Was: from, Present: true})
	}
	if c := rename("other", "another"); c != Suspicion {
		t.Errorf("an interface that is held and has another name is of concern %v", c)
	}
	if c := rename("another", "other"); c != Nothing {
		t.Errorf("an interface with a name that is not held is of concern %v", c)
	}
	if c := rename("other", "third"); c != Suspicion {
		t.Errorf("an interface that is held and has another name is of concern %v", c)
	}
	if c, _ := w.hear(t); c != Nothing {
		t.Errorf("before anything was written: %v", c)
	}
	check := func(name string) {
		t.Helper()
		reconcile(p.Director, h)
		w.watchWaiting()
		p.Director.Set(confKey("ipv4", name, "arp_ignore"), "0")
		if c, n := w.hear(t); c != Damage {
			t.Errorf("arp_ignore of %s: %d events of concern %v", name, n, c)
		}
		reconcile(p.Director, h)
		if c, n := w.hear(t); c != Nothing || n == 0 {
			t.Errorf("our own write: %d events of concern %v", n, c)
		}
	}
	check("third")
	rename("third", "fourth")
	w.watchWaiting()
	rename("fourth", "third")
	check("third")
	p.Director.Run("ip link del third")
	h.Concerns(Event{Kind: LinkChanged, Index: 77, Name: "third"})
	reconcile(p.Director, h)
	if slices.ContainsFunc(w.held(), func(s string) bool { return strings.Contains(s, "third") }) {
		t.Errorf("an interface that has gone is still held: %v", w.held())
	}
}

// held returns the names of the directories that are watched.
func (w *settingWatch) held() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.heard {
		names = append(names, d.family()+"/"+d.name)
	}
	slices.Sort(names)
	return names
}

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
	if c, n := w.hear(t); c != Damage {
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
	w.hear(t)
	p.Director.Set("ipv6/conf/vrrp6-51/accept_dad", "1")
	if c, _ := w.hear(t); c != Damage {
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
		if c, n := w.hear(t); c != want || n == 0 {
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
	if c, n := w.hear(t); c != Nothing || n < 3 {
		t.Errorf("our own writes: %d events of concern %v", n, c)
	}
	if r := reconcile(p.Director, h); len(r) != 0 {
		t.Errorf("again: %v", r)
	}
	if c, n := w.hear(t); c != Nothing || n != 0 {
		t.Errorf("a look without repairs: %d events of concern %v", n, c)
	}
	testns.Must(t, h.Remove("vrrp4-51", "vrrp6-51"))
	reconcile(p.Director, h)
	p.Director.Set("ipv4/conf/eth0/arp_ignore", "0")
	if c, _ := w.hear(t); c != Nothing {
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
	limit, err := readSysctl("../fs/inotify/max_queued_events")
	testns.Must(t, err)
	var most int
	fmt.Sscan(limit, &most)
	var files []*os.File
	for _, name := range []string{"arp_filter", "proxy_arp"} { // in turn, or they are one event
		f, err := os.OpenFile(filepath.Join(sysctlRoot, confKey("ipv4", "vrrp4-51", name)), os.O_WRONLY, 0)
		testns.Must(t, err)
		defer f.Close()
		files = append(files, f)
	}
	for i := range most + 2 {
		_, err := files[i%2].WriteAt([]byte("0"), 0)
		testns.Must(t, err)
	}
	if c, n := w.hear(t); c != Suspicion {
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
	if n := strings.Count(log.String(), "not all can be watched"); n != 1 || len(w.held()) != 5 {
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
			if strings.HasPrefix(to, sysctlRoot) || strings.Contains(to, "inotify") {
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
