package netdev

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/netdev/internal/testns"
	"holdfast/netdev/sysctl"

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

// receive judges what has been written so far, and returns how many events it was.
func (w *settingWatch) receive(t *testing.T) (c Concern, events int) {
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
		keys = append(keys, sysctl.Key(s.family, "vrrp4-51", s.name))
	}
	for _, s := range slices.Concat(fixed4, fixed6) {
		keys = append(keys, sysctl.Key(s.family, "vrrp6-51", s.name))
	}
	for _, name := range copied4 {
		keys = append(keys, sysctl.Key("ipv4", "vrrp4-51", name))
	}
	for _, name := range copied6 {
		keys = append(keys, sysctl.Key("ipv6", "vrrp6-51", name))
	}
	for _, name := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
		keys = append(keys, sysctl.Key("ipv4", "eth0", name))
	}
	keys = append(keys, sysctl.Key("ipv4", "lo", "rp_filter"))
	for _, key := range keys {
		want := p.Director.Get(key)
		p.Director.Set(key, turned(key, want))
		awaitConcern(t, concerns, key, Damage)
		repairs := texts(reconcile(p.Director, h))
		if !slices.ContainsFunc(repairs, func(r string) bool { return strings.Contains(r, sysctl.Name(key)+" was ") }) {
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
	if c, _ := w.receive(t); c != Nothing {
		t.Errorf("before anything was written: %v", c)
	}
	check := func(name string) {
		t.Helper()
		reconcile(p.Director, h)
		w.watchWaiting()
		p.Director.Set(sysctl.Key("ipv4", name, "arp_ignore"), "0")
		if c, n := w.receive(t); c != Damage {
			t.Errorf("arp_ignore of %s: %d events of concern %v", name, n, c)
		}
		reconcile(p.Director, h)
		if c, n := w.receive(t); c != Nothing || n == 0 {
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
