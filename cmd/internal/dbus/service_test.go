//go:build dbus

package dbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godbus/dbus/v5"

	"holdfast/cmd/internal/status"
)

// A fakeBus is a bus that can be unavailable. It records the signals it receives.
type fakeBus struct {
	mu    sync.Mutex
	away  bool
	dials []time.Time
	heard []string
	links []*fakeLink
	hangs bool // it accepts no signals
}

type fakeLink struct {
	bus  *fakeBus
	life context.Context
	gone chan struct{}
	left bool
}

func (b *fakeBus) dial(life, _ context.Context, _ *Service, o Options) (link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dials = append(b.dials, time.Now())
	if b.away {
		return nil, errors.New("nobody listens")
	}
	b.heard = append(b.heard, "hello "+o.Name)
	l := &fakeLink{bus: b, life: life, gone: make(chan struct{})}
	b.links = append(b.links, l)
	return l, nil
}

// restart ends the bus. The bus returns when away is set to false.
func (b *fakeBus) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = true
	close(b.links[len(b.links)-1].gone)
}

func (l *fakeLink) emit(s *signal) error {
	if l.bus.hangs {
		<-l.life.Done()
		return l.life.Err()
	}
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	l.bus.heard = append(l.bus.heard, fmt.Sprintf("%s %s %d", s.path[strings.LastIndex(s.path, "/")+1:], s.name, s.state))
	return nil
}

func (l *fakeLink) lost() <-chan struct{}   { return l.gone }
func (l *fakeLink) leave(_ context.Context) { l.left = true }

// take returns the signals received since the last call.
func (b *fakeBus) take() []string {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	heard := b.heard
	b.heard = nil
	return heard
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: heard %q, want %q", what, got, want)
	}
}

var (
	four = Instance{Name: "outside", Interface: "eth0", VRID: 51, State: Backup}
	six  = Instance{Name: "outside6", Interface: "eth0", VRID: 51, IPv6: true}
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func TestSignals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fakeBus{}
		s := newService(quiet(), nil, Options{Name: "n"}, bus.dial)
		expect(t, "the start", bus.take(), "hello n", "Vrrp VrrpStarted 0")
		s.Add(four, six)
		expect(t, "new instances", bus.take(), "IPv4 VrrpStatusChange 1", "IPv6 VrrpStatusChange 0")
		s.Change("outside", Master)
		s.Change("stranger", Master)
		expect(t, "a takeover", bus.take(), "IPv4 VrrpStatusChange 2", "IPv4 PropertiesChanged 2")
		s.Remove("outside6")
		s.Change("outside6", Master)
		s.Reloaded()
		expect(t, "a reload", bus.take(), "Vrrp VrrpReloaded 0")
		s.Configure(Options{Name: "n"})
		expect(t, "the same options", bus.take())
		s.Configure(Options{Name: "m"})
		expect(t, "another name", bus.take(), "hello m", "IPv4 VrrpStatusChange 2")
		if !bus.links[0].left {
			t.Error("the former name was not given back")
		}
		s.Change("outside", Stop)
		s.Stopped()
		s.Close(t.Context())
		expect(t, "the stop", bus.take(), "IPv4 VrrpStatusChange 98", "IPv4 PropertiesChanged 98", "Vrrp VrrpStopped 0")
		if !bus.links[1].left {
			t.Error("did not take leave")
		}
		s.Close(t.Context()) // again
	})
}

// The loss of the bus is logged once, and the pauses between attempts grow. Once
// the bus is back, clients get the present states instead of the missed changes.
func TestBusRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		bus := &fakeBus{}
		s := newService(slog.New(slog.NewTextHandler(&log, nil)), nil, Options{Name: "n"}, bus.dial)
		s.Add(four)
		time.Sleep(2 * steady)
		bus.take()
		gone := time.Now()
		bus.dials = nil
		bus.restart()
		synctest.Wait()
		s.Change("outside", Master)
		if st := s.Status(); st.Connected || !strings.Contains(st.Error, "lost") || !st.Since.Equal(gone) {
			t.Errorf("while the bus is away: %+v", st)
		}
		time.Sleep(time.Minute + pauseMin/2)
		bus.mu.Lock()
		bus.away = false
		var at []time.Duration
		for _, d := range bus.dials {
			at = append(at, d.Sub(gone))
		}
		bus.mu.Unlock()
		if want := []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond,
			7500 * time.Millisecond, 15500 * time.Millisecond, 31500 * time.Millisecond}; !slices.Equal(at, want) {
			t.Errorf("tried after %v, want %v", at, want)
		}
		expect(t, "nothing", bus.take())
		time.Sleep(pauseMax)
		expect(t, "the return", bus.take(), "hello n", "IPv4 VrrpStatusChange 2")
		if st := s.Status(); !st.Connected || st.Error != "" {
			t.Errorf("with the bus back: %+v", st)
		}
		s.Close(t.Context())
		text := log.String()
		if strings.Count(text, "not on D-Bus") != 1 || strings.Count(text, `msg="on D-Bus"`) != 2 {
			t.Errorf("the log:\n%s", text)
		}
	})
}

// A bus that accepts no signals blocks neither the callers of Change, however many
// signals wait, nor Close.
func TestBusThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bus := &fakeBus{hangs: true}
		s := newService(quiet(), nil, Options{Name: "n"}, bus.dial)
		s.Add(four)
		synctest.Wait()
		for range queueMax {
			s.Change("outside", Master)
		}
		st := s.Status()
		if st.SignalsDropped < queueMax || len(s.queue) != queueMax {
			t.Errorf("%d signals wait, %d were dropped", len(s.queue), st.SignalsDropped)
		}
		from := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		s.Close(ctx)
		if took := time.Since(from); took != time.Second {
			t.Errorf("closed after %v", took)
		}
	})
}

// A fakeDirector is a Director.
type fakeDirector struct {
	status status.Status
	files  map[string]string
	asked  []string
	hold   time.Duration
}

func (d *fakeDirector) Status(context.Context) (*status.Status, error) {
	s := d.status
	return &s, nil
}

func (d *fakeDirector) Reload(ctx context.Context) error {
	d.asked = append(d.asked, "reload")
	select {
	case <-time.After(d.hold):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *fakeDirector) Announce(_ context.Context, instance string) error {
	d.asked = append(d.asked, "announce "+instance)
	return nil
}

func (d *fakeDirector) Write(name string, content []byte) error {
	d.files[name] = string(content)
	return nil
}

// call calls a method as the library does.
func call(t *testing.T, s *Service, path, iface, name string, args ...any) ([]any, error) {
	t.Helper()
	o, ok := (&handler{s, t.Context()}).LookupObject(dbus.ObjectPath(path))
	if !ok {
		return nil, errors.New("no object")
	}
	i, ok := o.LookupInterface(iface)
	if !ok {
		return nil, errors.New("no interface")
	}
	m, ok := i.LookupMethod(name)
	if !ok {
		return nil, errors.New("no method")
	}
	if m.NumArguments() != len(args) {
		return nil, fmt.Errorf("%d arguments", m.NumArguments())
	}
	return m.Call(args...)
}

func TestMethods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDirector{files: map[string]string{}}
		d.status = status.Status{Version: 1, VRRP: []status.Instance{{Name: "outside", Counters: status.Counters{AdvertsSent: 5}}}}
		s := newService(quiet(), d, Options{}, (&fakeBus{}).dial)
		defer s.Close(t.Context())
		s.Add(four)
		for _, name := range []string{"PrintData", "PrintStats", "ReloadConfig", "SendGarp"} {
			if got, err := call(t, s, routerPath, ifaceRouter, name); err != nil || len(got) != 0 {
				t.Errorf("%s: %v, %v", name, got, err)
			}
		}
		if _, err := call(t, s, four.path(), "", "SendGarp"); err != nil {
			t.Error(err)
		}
		expect(t, "asked", d.asked, "reload", "announce ", "announce outside")
		var status status.Status
		if err := json.Unmarshal([]byte(d.files[dataFile]), &status); err != nil || len(status.VRRP) != 1 {
			t.Errorf("%v in %s", err, d.files[dataFile])
		}
		sent := func() uint64 {
			t.Helper()
			var doc statsDocument
			if err := json.Unmarshal([]byte(d.files[statsFile]), &doc); err != nil || len(doc.VRRP) != 1 || doc.VRRP[0].Name != "outside" {
				t.Fatalf("%v in %s", err, d.files[statsFile])
			}
			return doc.VRRP[0].Counters.AdvertsSent
		}
		// PrintStatsClear resets the printed values after it prints. The counters go on.
		for i, step := range []struct {
			method string
			now    uint64
			want   uint64
		}{{"PrintStats", 7, 7}, {"PrintStatsClear", 10, 10}, {"PrintStats", 13, 3}, {"PrintStatsClear", 14, 4}, {"PrintStats", 14, 0}, {"PrintStats", 2, 2}} {
			d.status.VRRP[0].Counters.AdvertsSent = step.now
			if _, err := call(t, s, routerPath, ifaceRouter, step.method); err != nil || sent() != step.want {
				t.Errorf("%d. %s: %d, %v, want %d", i, step.method, sent(), err, step.want)
			}
		}
	})
}

// Methods are carried out one at a time. A caller gets an answer before its own
// time limit has passed.
func TestMethodsWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &fakeDirector{hold: methodTimeout * 3 / 4}
		s := newService(quiet(), d, Options{}, (&fakeBus{}).dial)
		defer s.Close(t.Context())
		var errs [2]error
		var all sync.WaitGroup
		for i := range errs {
			all.Go(func() { _, errs[i] = call(t, s, routerPath, ifaceRouter, "ReloadConfig") })
		}
		from := time.Now()
		all.Wait()
		late := errors.Join(errs[0], errs[1]) // error of the second call
		if took := time.Since(from); took != methodTimeout || (errs[0] == nil) == (errs[1] == nil) || !errors.Is(late, context.DeadlineExceeded) {
			t.Errorf("%v after %v; asked: %v", errs, took, d.asked)
		}
	})
}

func TestProperties(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(quiet(), nil, Options{}, (&fakeBus{}).dial)
		defer s.Close(t.Context())
		s.Add(four)
		s.Change("outside", Master)
		iface, name, state := ifaceMember, "Name", "State"
		wrong := "Priority"
		for _, c := range []struct {
			method string
			args   []any
			want   string
		}{
			{"Get", []any{&iface, &name}, `[("outside",)]`},
			{"Get", []any{&iface, &state}, `[@(us) (2, "Master",)]`},
			{"Get", []any{&iface, &wrong}, "there is no property Priority"},
			{"Get", []any{&wrong, &name}, "there are no properties of Priority here"},
			{"GetAll", []any{&iface}, `[map[Name:("outside",) State:@(us) (2, "Master",)]]`},
			{"GetAll", []any{&wrong}, "[map[]]"},
			{"Set", []any{&iface, &name, nil}, "Name cannot be written"},
		} {
			got, err := call(t, s, four.path(), ifaceProps, c.method, c.args...)
			text := fmt.Sprint(got)
			if err != nil {
				text = err.Error()
			}
			if text != c.want {
				t.Errorf("%s: %s, want %s", c.method, text, c.want)
			}
		}
		for _, path := range []string{"/nowhere", "/org/keepalived/Vrrp1/Instance/eth0/52/IPv4"} {
			if _, err := call(t, s, path, ifaceInspect, "Introspect"); err == nil {
				t.Errorf("%s is there", path)
			}
		}
		if got, err := call(t, s, "/", ifaceInspect, "Introspect"); err != nil || !strings.Contains(got[0].(string), `"org"`) {
			t.Errorf("the root: %v, %v", got, err)
		}
	})
}
