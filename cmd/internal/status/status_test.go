package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/integration/tools/golden"
	"holdfast/lvs"
)

// refusedBy returns a virtual router that refuses the adverts of another router.
func refusedBy(state string, advertises bool) *Status {
	return &Status{VRRP: []Instance{{Name: "a", State: state, RefusedSpeakers: []RefusedSpeaker{
		{Address: "10.0.0.4", Problem: "it is not one of the configured peers", Advertises: advertises},
	}}}}
}

func TestText(t *testing.T) {
	for name, section := range map[string]Section{"all": SectionAll, "vrrp": SectionVRRP, "lvs": SectionLVS, "checks": SectionChecks} {
		golden.Compare(t, "testdata/status-"+name+".txt", canned().Text(section))
	}
}

func TestTextOfAnIdleDirector(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := &Status{Director: "lvs1", Software: "1.2.3", PID: 1, Now: now, Started: now, Config: Config{Path: "/x.toml", LoadedAt: now}, Realtime: true}
	const head = "lvs1  up 0s  holdfast 1.2.3  pid 1\n  configuration /x.toml, in force for 0s\n"
	for section, want := range map[Section]string{
		SectionAll: head, SectionVRRP: head + "\nVRRP\n  none\n", SectionLVS: head + "\nLVS\n  none\n", SectionChecks: head + "\nCHECKS\n  none\n",
	} {
		if diff := cmp.Diff(want, s.Text(section)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", section, diff)
		}
	}
}

// Scripts depend on the JSON keys: a change to the golden file breaks those scripts.
func TestStatusJSON(t *testing.T) {
	s := canned()
	s.Complete()
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "testdata/status.json", string(b)+"\n")
	if strings.Contains(string(b), ": null") {
		t.Error("null where a list belongs")
	}
	var back Status
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(canned(), &back, cmpopts.EquateEmpty(), cmpopts.EquateComparable(canned().Checks[0].Address)); diff != "" {
		t.Errorf("what is read back (-want +got):\n%s", diff)
	}
}

func TestUnwell(t *testing.T) {
	service := func(change func(*lvs.ServiceStatus)) *Status {
		v := lvs.ServiceStatus{Name: "web", Wanted: true, Present: true, ServersTotal: 1, Servers: []lvs.ServerStatus{{Name: "rs1", Health: "down"}}}
		change(&v)
		return &Status{LVS: &LVS{Services: []lvs.ServiceStatus{v}}}
	}
	tests := []struct {
		name   string
		status *Status
		want   string
	}{
		{"nothing", &Status{}, ""},
		{"backup", &Status{VRRP: []Instance{{Name: "a", State: "BACKUP"}, {Name: "b", State: "MASTER"}, {Name: "c", State: "INIT"}}}, ""},
		{"fault", &Status{VRRP: []Instance{{Name: "a", State: "FAULT"}}}, "vrrp a is in FAULT"},
		{"waits", &Status{VRRP: []Instance{{Name: "a", State: "INIT", Reasons: []Reason{{Key: "track:web", Text: "tracker web is not known yet"}}}}}, "vrrp a has not begun: tracker web is not known yet"},
		{"stopped", &Status{VRRP: []Instance{{Name: "a", State: "INIT"}}}, ""},
		{"rival", &Status{VRRP: []Instance{{Name: "a", State: "MASTER", Rival: &Peer{Address: "10.0.0.3"}}}}, "vrrp a: 10.0.0.3 advertises as MASTER too"},
		{"refused", refusedBy("MASTER", true), "vrrp a: 10.0.0.4 advertises as MASTER too, but its adverts are refused: it is not one of the configured peers"},
		{"refused by a BACKUP", refusedBy("BACKUP", true), ""},
		{"refused now and then", refusedBy("MASTER", false), ""},
		{"silenced", &Status{Now: time.Unix(9, 0), VRRP: []Instance{{Name: "a", State: "MASTER", Silenced: &Reason{Text: "send on eth0: network is down", Since: time.Unix(4, 0)}}}}, "vrrp a: its adverts have not been sent for 5s: send on eth0: network is down"},
		{"no route", &Status{VRRP: []Instance{{Name: "a", Holding: true, Routes: []Policy{{Text: "route x", Why: "no way"}, {Text: "route y", Present: true}}}}}, "vrrp a: route x is missing: no way"},
		{"no rule", &Status{VRRP: []Instance{{Name: "a", Holding: true, Rules: []Policy{{Text: "rule x", Why: "no way"}}}}}, "vrrp a: rule x is missing: no way"},
		{"no route needed", &Status{VRRP: []Instance{{Name: "a", Routes: []Policy{{Text: "route x", Why: "no way"}}}}}, ""},
		{"a script that failed", &Status{Notify: []Outlet{{Name: OutletScripts, FailingSince: time.Now(), LastError: "exit status 3"}}}, ""},
		{"a pipe that nobody reads", &Status{Notify: []Outlet{{Name: "fifo /x", FailingSince: time.Now(), LastError: "is full"}}}, "notify fifo /x: is full"},
		{"reload failed", &Status{Config: Config{LastReload: &Reload{}}}, "the last reload failed, the configuration before it is in force"},
		{"reload done", &Status{Config: Config{LastReload: &Reload{OK: true}}}, ""},
		{"a BFD session that is down", &Status{BFD: &BFD{Sessions: []BFDSession{{Name: "gw", State: "Down"}}}}, ""},
		{"a BFD session that is not heard", &Status{BFD: &BFD{Sessions: []BFDSession{{Name: "gw", Trouble: "address already in use"}}}}, "bfd gw: address already in use"},
		{"no module", &Status{LVS: &LVS{Error: "the kernel has no ip_vs"}}, "lvs: the kernel has no ip_vs"},
		{"sync", &Status{LVS: &LVS{Sync: &Sync{Error: "no such device"}}}, "lvs sync: no such device"},
		{"no server", service(func(*lvs.ServiceStatus) {}), "service web has no server that is up"},
		{"no server, fallback", service(func(v *lvs.ServiceStatus) { v.OnFallback = true }), "service web has no server that is up"},
		{"one server", service(func(v *lvs.ServiceStatus) { v.ServersUp = 1 }), ""},
		{"no verdict yet", service(func(v *lvs.ServiceStatus) { v.Servers[0].Health = "unknown" }), ""},
		{"missing", service(func(v *lvs.ServiceStatus) { v.Present = false }), "service web is not in the kernel"},
		{"not here", service(func(v *lvs.ServiceStatus) { v.Wanted, v.Present = false, false }), ""},
		{"not ours", service(func(v *lvs.ServiceStatus) { v.Foreign = true }), ""},
	}
	for _, test := range tests {
		if got := strings.Join(test.status.Unwell(), "; "); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAgo(t *testing.T) {
	s := &Status{Now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", time.Minute: "1m0s", 3599 * time.Second: "59m59s",
		time.Hour: "1h0m", 24*time.Hour - 1: "23h59m", 24 * time.Hour: "1d0h", 100*24*time.Hour + 5*time.Hour: "100d5h",
	} {
		if got := s.ago(s.Now.Add(-d)); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	if got := s.ago(time.Time{}); got != "-" {
		t.Errorf("never: %s", got)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 9999: "9999", 10_000: "10.0K", 999_949: "999.9K", 999_950: "1.0M", 1_500_000_000: "1.5G", 1<<64 - 1: "18.4E",
	} {
		if got := count(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
