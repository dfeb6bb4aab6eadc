package director

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/lvs"
)

// bothUp returns the services of text, whose servers 192.168.0.11 and 12 are up.
func bothUp(t *testing.T, text string) (*virtualServices, *aloneRecorder, *fakeIPVS) {
	t.Helper()
	b, heard := alone(t)
	kernel := newFakeIPVS()
	v := newTestServices(t, b, parse(t, text), kernel)
	for _, id := range []string{"web/192.168.0.11:80", "web/192.168.0.12:80"} {
		v.verdict(checker.Change{ID: id, Up: true, At: time.Now(), Reason: "r"})
	}
	v.reconcile()
	heard.events = nil
	return v, heard, kernel
}

// served returns the weights of the two servers in the kernel: "1 0"; "-" is none.
func served(k *fakeIPVS) string {
	weights := []string{"-", "-"}
	for line := range strings.Lines(k.String()) {
		for i, a := range []string{"192.168.0.11:80", "192.168.0.12:80"} {
			if _, rest, ok := strings.Cut(line, "-r "+a+" "); ok {
				weights[i] = strings.Fields(rest)[2]
			}
		}
	}
	return strings.Join(weights, " ")
}

// An order is in the kernel when it is answered, is told as an event, and outlasts a
// restart and an upgrade with its end.
func TestOrdersReachTheKernel(t *testing.T) {
	v, heard, kernel := bothUp(t, twoServers)
	now := time.Now()
	done, err := v.order(now, &control.ServerOrder{Verb: control.Drain, Service: "web", Server: "192.168.0.12", For: time.Hour, By: "root"})
	if err != nil {
		t.Fatal(err)
	}
	if s := done.Servers; len(s) != 1 || s[0].Service != "web" || !s[0].Drained || !s[0].Present || s[0].Weight != 0 || served(kernel) != "1 0" {
		t.Errorf("%+v; the kernel has %s", done, served(kernel))
	}
	if _, err := v.order(now, &control.ServerOrder{Verb: control.Weight, Service: "all", Server: "192.168.0.11:80", Weight: 7, By: "uid 7"}); err != nil {
		t.Fatal(err)
	}
	if got := served(kernel); got != "7 0" {
		t.Errorf("the kernel has %s", got)
	}
	var told []string
	for _, e := range heard.events {
		told = append(told, e.Kind+" "+e.Subject+" "+e.To+": "+e.Reason)
	}
	want := []string{
		"operator web/192.168.0.12:80 drained: drained by root until " + now.Add(time.Hour).Format(time.DateTime),
		"operator web/192.168.0.11:80 weight: weight 7 by uid 7",
	}
	if got := strings.Join(told, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("events:\n%s", got)
	}

	b, _ := alone(t)
	next := newVirtualServices(b, filepath.Dir(v.orders.path))
	defer next.close()
	next.restore(&upgradeState{})
	if err := next.balance.table.Configure(serviceConfigs(v.conf)); err != nil {
		t.Fatal(err)
	}
	r := lvs.Ref{Service: "web", Server: "192.168.0.12:80"}
	if o := next.balance.table.Override(r).Drained; o == nil || o.By != "root" || !o.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("after a restart: %+v", o)
	}

	heard.events = nil
	v.step(now.Add(2 * time.Hour))
	if len(heard.events) != 1 || heard.events[0].To != event.Enabled || !strings.Contains(heard.events[0].Reason, "which is over") {
		t.Errorf("at the end of the order: %v", heard.events)
	}
	if _, err := v.order(now, &control.ServerOrder{Verb: control.Enable, Service: "web", Server: "192.168.0.11:80", By: "root"}); err != nil {
		t.Fatal(err)
	}
	if got := served(kernel); got != "1 1" {
		t.Errorf("at the end the kernel has %s", got)
	}
	if _, err := os.Stat(v.orders.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there are no orders any more, but a file: %v", err)
	}
}

// An order that does not reach the kernel is no success, and the answer says what is
// not as an operator may expect.
func TestOrdersThatDoNotWork(t *testing.T) {
	v, _, kernel := bothUp(t, strings.Replace(twoServers, `address = "10.0.0.100:80"`, "address = \"10.0.0.100:80\"\npersistence = \"5m\"", 1))
	drain := func(server string) (*control.Servers, error) {
		return v.order(time.Now(), &control.ServerOrder{Verb: control.Drain, Service: "web", Server: server, By: "root"})
	}
	kernel.sysctls["expire_quiescent_template"] = "0"
	done, err := drain("192.168.0.11:80")
	if err != nil || len(done.Notes) != 1 || !strings.HasPrefix(done.Notes[0], "persistent clients go on using the server") {
		t.Errorf("%+v, %v", done, err)
	}
	kernel.Fail = func(lvs.Op) error { return errors.New("no memory") }
	if _, err := drain("192.168.0.12:80"); err == nil || !strings.Contains(err.Error(), "no memory") {
		t.Errorf("the kernel refuses it: %v", err)
	}
	kernel.Fail = nil
	v.verdict(checker.Change{ID: "web/192.168.0.12:80", At: time.Now(), Reason: "r"})
	kernel.sysctls["expire_quiescent_template"] = "1"
	if done, err := drain("192.168.0.12:80"); err != nil || len(done.Notes) != 1 || done.Notes[0] != "web/192.168.0.12:80 is down: the order has an effect when it is up" {
		t.Errorf("%+v, %v", done, err)
	}
	if _, err := drain("192.168.0.99:80"); !errors.Is(err, lvs.ErrUnknownServer) {
		t.Errorf("an unknown server: %v", err)
	}
	v.orders.path = "/proc/orders.json"
	if done, err := drain("192.168.0.12:80"); err != nil || !strings.Contains(strings.Join(done.Notes, " "), "would not outlast a restart") {
		t.Errorf("a file that cannot be written: %+v, %v", done, err)
	}
}

// A file of the maintenance directory drains a server. One that is named after a host
// drains it once the host's addresses are known. A directory that is gone changes
// nothing and is said.
func TestMaintenanceDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "maintenance")
	v, heard, kernel := bothUp(t, twoServers+"[lvs]\nmaintenance_dir = \""+dir+"\"\n")
	v.files.lookup = fakeLookup
	mkdir := func() {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(name string) {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	work := func(done func() bool) bool {
		deadline := time.After(10 * time.Second)
		for {
			for _, f := range heard.mail.take() {
				f()
			}
			v.reconcile()
			if done() {
				return true
			}
			select {
			case <-heard.mail.signal:
			case <-deadline:
				return false
			}
		}
	}
	until := func(what, want string) {
		t.Helper()
		if !work(func() bool { return served(kernel) == want }) {
			t.Fatalf("%s: %s, want %s", what, served(kernel), want)
		}
	}
	mkdir()
	v.apply(v.conf)
	touch("192.168.0.12")
	until("an address", "1 0")
	touch("README")
	touch("rs1.example.org")
	until("a host", "0 0")
	if _, err := v.order(time.Now(), &control.ServerOrder{Verb: control.Enable, Service: "web", Server: "192.168.0.12", By: "root"}); err == nil ||
		err.Error() != "web/192.168.0.12:80 stays drained by the maintenance file 192.168.0.12" {
		t.Errorf("enable: %v", err)
	}
	remove("192.168.0.12")
	until("the file is gone", "0 1")
	remove(".")
	v.tick()
	work(func() bool { return len(v.files.problems()) > 0 })
	until("the directory is gone", "0 1")
	if p := v.files.problems(); len(p) != 1 || !strings.Contains(p[0].Text, "no such file or directory") {
		t.Errorf("problems: %v", p)
	}
	mkdir()
	v.tick()
	until("the directory is back", "1 1")
	touch("192.168.0.11:80")
	until("it is watched again", "0 1")
	if p := v.files.problems(); len(p) > 0 {
		t.Errorf("problems: %v", p)
	}
}

func fakeLookup(_ context.Context, host string) ([]netip.Addr, error) {
	if host == "rs1.example.org" {
		return []netip.Addr{netip.MustParseAddr("::ffff:192.168.0.11")}, nil
	}
	return nil, errors.New("no such host")
}
