package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/conf"
	"holdfast/vrrp"
)

// readInPlace maps fields of an instance to the code that reads them in the
// configuration each time it needs them. A reload has nothing to do for these.
var readInPlace = map[string]string{
	".TrackLink":      "diagnose",
	".Notify":         "scriptsFor",
	".Track":          "applyTracking",
	".Resources":      "resources.apply",
	".Fence":          "resources.apply",
	".PreemptCommand": "preemption.apply",
	".Auth.File":      "nobody: the secret itself is compared",
	".Auth.KeyFiles":  "nobody: the keys themselves are compared",
}

// A reload must not miss any field of an instance: a change makes it another
// instance, changes its devices, or changes how it sends. All other fields must be
// listed in readInPlace.
func TestReloadHeedsEveryField(t *testing.T) {
	before, after := sampleInstance(), sampleInstance()
	told := func() bool {
		return identity(before) != identity(after) || !sameTx(before, after) ||
			!reflect.DeepEqual(specs(before), specs(after))
	}
	if told() {
		t.Fatal("two instances that are the same are not")
	}
	n := 0
	eachLeaf(reflect.ValueOf(after).Elem(), "", func(path string, leaf reflect.Value) {
		n++
		was := reflect.New(leaf.Type()).Elem()
		was.Set(leaf)
		alter(t, path, leaf)
		if !told() {
			t.Errorf("a reload that changes %s is not applied", path)
		}
		leaf.Set(was)
	})
	if n < 100 {
		t.Errorf("%d fields were tried", n)
	}
}

// An address that moves to another interface is announced there, also if the
// instance used both interfaces before.
func TestReloadAnnouncesOnExtraInterfaces(t *testing.T) {
	before, after := sampleInstance(), sampleInstance()
	after.Excluded[0].Interface = "b"
	if sameTx(before, after) {
		t.Error("an address is on another interface, and is announced on the former")
	}
}

// sampleInstance has a value in every field, and one element in every slice.
func sampleInstance() *conf.Instance {
	in := new(conf.Instance)
	fill(reflect.ValueOf(in).Elem())
	in.Prefixes[0].Interface = "" // that is the instance's own
	return in
}

func fill(v reflect.Value) {
	switch v.Interface().(type) {
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("10.0.0.7")))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.MustParsePrefix("10.0.0.0/24")))
		return
	case vrrp.Family:
		v.Set(reflect.ValueOf(vrrp.IPv4))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("a")
	}
}

// eachLeaf calls do with every field that has no fields, but for what is read in
// place.
func eachLeaf(v reflect.Value, path string, do func(path string, leaf reflect.Value)) {
	if readInPlace[path] != "" {
		return
	}
	switch v.Interface().(type) {
	case netip.Addr, netip.Prefix:
		do(path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Field(i).Name, do)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			eachLeaf(v.Index(i), fmt.Sprintf("%s[%d]", path, i), do)
		}
	default:
		do(path, v)
	}
}

func alter(t *testing.T, path string, v reflect.Value) {
	switch v.Interface().(type) {
	case netip.Addr:
		v.Set(reflect.ValueOf(netip.MustParseAddr("10.0.0.8")))
		return
	case netip.Prefix:
		v.Set(reflect.ValueOf(netip.MustParsePrefix("10.0.1.0/24")))
		return
	case vrrp.Family:
		v.Set(reflect.ValueOf(vrrp.IPv6))
		return
	}
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(!v.Bool())
	case v.Kind() == reflect.String:
		v.SetString(v.String() + "b")
	case v.CanInt():
		v.SetInt(v.Int() + 1)
	case v.CanUint():
		v.SetUint(v.Uint() + 1)
	default:
		t.Fatalf("%s is a %v: how to change it is not known", path, v.Type())
	}
}

// A configuration file on a file server that does not answer does not block the
// loop. Other requests are answered meanwhile. The reload fails with the reason, and
// the status has it.
func TestUnreadableConfigurationHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("no answer from the file system about /nfs/a.toml")
		d := newDirector(Options{Path: "/nfs/a.toml", Log: slog.New(slog.DiscardHandler)})
		d.load = func(ctx context.Context, _ string) (*conf.Config, conf.Errors, error) {
			<-ctx.Done()
			return nil, nil, gone
		}
		var published []event.Event
		d.events = event.NewBus(func(e *event.Event) { published = append(published, *e) })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for {
				select {
				case <-d.mail.signal:
					for _, f := range d.mail.take() {
						f()
					}
				case <-ctx.Done():
					return
				}
			}
		}()
		start := time.Now()
		ended := make(chan error, 2)
		go func() { _, err := backend{d}.Reload(ctx); ended <- err }()
		go func() { _, err := backend{d}.Plan(ctx); ended <- err }()
		synctest.Wait()
		if err := d.ask(ctx, func() {}); err != nil || time.Since(start) != 0 {
			t.Errorf("the loop answered after %v: %v", time.Since(start), err)
		}
		for range 2 {
			if err := <-ended; !errors.Is(err, gone) {
				t.Errorf("got %v", err)
			}
		}
		if took := time.Since(start); took != configTimeout {
			t.Errorf("the verbs ended after %v", took)
		}
		synctest.Wait()
		if !errors.Is(d.reloaded.err, gone) || len(published) != 1 || published[0].To != "refused" {
			t.Errorf("reloaded %v, events %v", d.reloaded.err, published)
		}
	})
}

// A reload waits for the one before it, as long as its caller does.
func TestReloadsAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDirector(Options{Log: slog.New(slog.DiscardHandler)})
		d.reloading <- struct{}{}
		d.load = func(context.Context, string) (*conf.Config, conf.Errors, error) {
			t.Error("two reloads read at once")
			return nil, nil, errors.New("")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.reload(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}
