package lvs_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

func keysOf(content []lvs.Wanted) []lvs.Key {
	var keys []lvs.Key
	for _, w := range content {
		keys = append(keys, w.Service.Key)
	}
	return keys
}

func apply(t *testing.T, a *lvs.Applier, want ...lvs.Wanted) lvs.Report {
	t.Helper()
	report, err := a.Apply(keysOf(want), want)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestApplyRepairsDriftAndSaysSo(t *testing.T) {
	web, tls := tcp("10.0.0.1:80"), tcp("10.0.0.1:443")
	rs1, rs2 := nat("192.168.0.11:80", 5), nat("192.168.0.12:80", 3)
	var kernel lvstest.Fake
	load(t, &kernel, wanted(tcp("10.9.9.9:9"), nat("10.9.9.10:9", 1)))
	a := lvs.NewApplier(&kernel, nil, nil)
	first := apply(t, a, wanted(web, rs1), wanted(tls))
	for _, c := range first.Changes {
		if c.Drift {
			t.Errorf("drift at the first Apply: %v", c.Op)
		}
	}

	heavy := rs1
	heavy.Weight = 500
	for _, op := range []lvs.Op{
		{Verb: lvs.DeleteService, Service: tls},
		{Verb: lvs.EditServer, Service: web, Server: heavy},
		{Verb: lvs.AddServer, Service: web, Server: nat("192.168.0.66:80", 1)},
	} {
		must(t, kernel.Do(op)[0])
	}
	report := apply(t, a, wanted(web, rs1, rs2), wanted(tls))
	got := make(map[string]bool)
	for _, c := range report.Changes {
		got[c.Op.String()] = c.Drift
	}
	want := map[string]bool{
		"ipvsadm -a -t 10.0.0.1:80 -r 192.168.0.12:80 -m -w 3": false, // a change of the configuration
		"ipvsadm -e -t 10.0.0.1:80 -r 192.168.0.11:80 -m -w 5": true,
		"ipvsadm -d -t 10.0.0.1:80 -r 192.168.0.66:80":         true,
		"ipvsadm -A -t 10.0.0.1:443 -s wlc":                    true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drift by change (-want +got):\n%s", diff)
	}
	if again := apply(t, a, wanted(web, rs1, rs2), wanted(tls)); len(again.Changes) != 0 {
		t.Errorf("changes without drift: %v", again.Changes)
	}
}

func TestApplyDeletesWhatIsOursAndNothingElse(t *testing.T) {
	web, tls, left, other := tcp("10.0.0.1:80"), tcp("10.0.0.1:443"), tcp("10.0.0.1:25"), tcp("10.9.9.9:9")
	var kernel lvstest.Fake
	load(t, &kernel, wanted(web), wanted(left), wanted(other))
	var stored [][]lvs.Key
	a := lvs.NewApplier(&kernel, []lvs.Key{left.Key}, func(keys []lvs.Key) error {
		stored = append(stored, keys)
		return nil
	})
	// web is configured but not wanted, because its group is BACKUP here. left is
	// of a previous run and not configured any more.
	report, err := a.Apply([]lvs.Key{web.Key, tls.Key}, []lvs.Wanted{wanted(tls)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(report.Foreign, []lvs.Key{other.Key}) {
		t.Errorf("foreign services %v", report.Foreign)
	}
	want := "-A -t 10.0.0.1:443 -s wlc\n-A -t 10.9.9.9:9 -s wlc\n"
	if diff := cmp.Diff(want, kernel.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	wantStored := [][]lvs.Key{{left.Key, web.Key, tls.Key}, {web.Key, tls.Key}}
	if diff := cmp.Diff(wantStored, stored, cmp.Comparer(func(a, b lvs.Key) bool { return a == b })); diff != "" {
		t.Errorf("saved keys (-want +got):\n%s", diff)
	}
	if _, err := a.Apply(nil, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := kernel.String(), "-A -t 10.9.9.9:9 -s wlc\n"; got != want {
		t.Errorf("after the end:\n%swant:\n%s", got, want)
	}
	if n := len(a.Owned()); n != 0 {
		t.Errorf("%d services owned after the end", n)
	}
}

// While the keys cannot be saved, services that are saved already are kept as
// wanted, and no others are touched.
func TestApplyWhenKeysCannotBeSaved(t *testing.T) {
	var kernel lvstest.Fake
	var full error
	a := lvs.NewApplier(&kernel, nil, func([]lvs.Key) error { return full })
	web, tls, met := tcp("10.0.0.1:80"), tcp("10.0.0.1:443"), tcp("10.0.0.1:25")
	apply := func(want ...lvs.Wanted) error {
		t.Helper()
		report, err := a.Apply(nil, want)
		if report.Err() != nil {
			t.Error(report.Err())
		}
		return err
	}
	rs1, rs2 := nat("192.168.0.11:80", 1), nat("192.168.0.12:80", 1)
	if err := apply(wanted(web, rs1, rs2)); err != nil {
		t.Fatal(err)
	}
	load(t, &kernel, wanted(met)) // another program's, and wanted from now on
	full = errors.New("disk full")
	if err := apply(wanted(web, rs2), wanted(tls, rs1), wanted(met, rs1)); !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	if diff := cmp.Diff(render(t, []lvs.Wanted{wanted(web, rs2), wanted(met)}), kernel.String()); diff != "" {
		t.Errorf("while the keys cannot be saved (-want +got):\n%s", diff)
	}
	full = nil
	if err := apply(wanted(web, rs2), wanted(tls, rs1), wanted(met, rs1)); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(render(t, []lvs.Wanted{wanted(web, rs2), wanted(tls, rs1), wanted(met, rs1)}), kernel.String()); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestApplyLooksAgainWhenSurprised(t *testing.T) {
	web := tcp("10.0.0.1:80")
	rs1, rs2 := nat("192.168.0.11:80", 5), nat("192.168.0.12:80", 3)
	var kernel lvstest.Fake
	load(t, &kernel, wanted(web, rs1))
	looks := 0
	kernel.Looked = func() {
		if looks++; looks == 1 { // another program changes the table after the dump
			must(t, kernel.Do(lvs.Op{Verb: lvs.AddServer, Service: web, Server: rs2})[0])
			must(t, kernel.Do(lvs.Op{Verb: lvs.DeleteServer, Service: web, Server: rs1})[0])
		}
	}
	a := lvs.NewApplier(&kernel, nil, nil)
	report := apply(t, a, wanted(web, rs2))
	if len(report.Failed) != 0 || looks != 2 {
		t.Errorf("%d looks, failed %v; want 2 and none", looks, report.Err())
	}
	if got, want := kernel.String(), webLine+rs2Line; got != want {
		t.Errorf("table:\n%swant:\n%s", got, want)
	}
}

func TestApplyGoesOnPastAFailure(t *testing.T) {
	web, tls := tcp("10.0.0.1:80"), tcp("10.0.0.1:443")
	tls.Scheduler = "ovf"
	kernel := lvstest.Fake{Schedulers: []string{"wlc"}}
	a := lvs.NewApplier(&kernel, nil, nil)
	want := []lvs.Wanted{wanted(tls, nat("192.168.0.11:443", 1)), wanted(web, nat("192.168.0.11:80", 5))}
	report := apply(t, a, want...)
	if len(report.Failed) != 1 || !errors.Is(report.Err(), lvs.ErrNoScheduler) {
		t.Errorf("failed: %v; want the service with scheduler ovf alone", report.Err())
	}
	if got := kernel.String(); got != webLine+rs1Line {
		t.Errorf("table:\n%swant:\n%s", got, webLine+rs1Line)
	}
	kernel.Schedulers = nil // the module is loaded now
	for _, c := range apply(t, a, want...).Changes {
		if c.Drift {
			t.Errorf("a change that had failed is reported as drift: %v", c.Op)
		}
	}
	if got := len(kernel.Ops); got != 4 {
		t.Errorf("%d changes made, want 4", got)
	}
}

func TestPreviewChangesNothing(t *testing.T) {
	var kernel lvstest.Fake
	load(t, &kernel, wanted(tcp("10.0.0.1:25")), wanted(tcp("10.9.9.9:9")))
	a := lvs.NewApplier(&kernel, []lvs.Key{tcp("10.0.0.1:25").Key}, nil)
	ops, err := a.Preview(nil, []lvs.Wanted{wanted(tcp("10.0.0.1:80"))})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"-A -t 10.0.0.1:80 -s wlc", "-D -t 10.0.0.1:25"}, commands(ops)); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if len(kernel.Ops) != 0 {
		t.Errorf("preview made %v", commands(kernel.Ops))
	}
}

// Another program changes our services at random between a dump and the changes
// after it. When it stops, the table is as wanted, and foreign services are as
// that program left them.
func TestApplyConvergesAgainstAnotherHand(t *testing.T) {
	g := generator{rand.New(rand.NewPCG(7, 8))}
	mine, foreign := keys()[:4], keys()[4:]
	var kernel lvstest.Fake
	theirs := g.content(foreign)
	load(t, &kernel, theirs...)
	a := lvs.NewApplier(&kernel, nil, nil)
	for step := range 1000 {
		want := g.content(mine)
		meddling := false
		kernel.Looked = func() {
			if meddling || g.IntN(2) == 0 {
				return
			}
			meddling = true
			have, _ := kernel.Dump()
			for _, op := range lvs.Plan(have, g.content(mine), among(mine)) {
				must(t, kernel.Do(op)[0])
			}
		}
		if _, err := a.Apply(mine, want); err != nil {
			t.Fatal(err)
		}
		kernel.Looked = nil
		report, err := a.Apply(mine, want)
		if err != nil || report.Err() != nil {
			t.Fatalf("step %d: %v, %v", step, err, report.Err())
		}
		if diff := cmp.Diff(render(t, append(want, theirs...)), kernel.String()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", step, diff)
		}
	}
}
