package lvs_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

// Orders end by themselves, and each alone.
func TestOrdersEnd(t *testing.T) {
	table := table(t, farm(5, 5))
	a, b := lvs.Ref{Service: "web", Server: "a"}, lvs.Ref{Service: "web", Server: "b"}
	until := func(d time.Duration) lvs.Order { return lvs.Order{By: "root", At: start, Until: start.Add(d)} }
	must(t, table.Drain(a, until(time.Minute)))
	must(t, table.SetWeight(a, 3, until(2*time.Minute)))
	must(t, table.SetWeight(b, 9, order))
	tell(t, table, start, "a+ b+")
	for _, step := range []struct {
		after time.Duration
		ended int
		want  string
		next  time.Duration // 0: none
	}{
		{0, 0, "a0 b9", time.Minute},
		{time.Minute - 1, 0, "a0 b9", time.Minute},
		{time.Minute, 1, "a3 b9", 2 * time.Minute},
		{3 * time.Minute, 1, "a5 b9", 0},
	} {
		done := table.Step(start.Add(step.after))
		if got := serving(table); got != step.want || len(done.Expired) != step.ended {
			t.Errorf("after %v: %s, ended: %v", step.after, got, done.Expired)
		}
		var next time.Time
		if step.next != 0 {
			next = start.Add(step.next)
		}
		if got := table.Deadline(); !got.Equal(next) {
			t.Errorf("after %v: the next step is at %v, want %v", step.after, got, next)
		}
	}
}

// A file drains the server that it is named after, in all services.
func TestMaintenanceFiles(t *testing.T) {
	second := farm(1, 1)
	second.Name, second.Service = "mail", tcp("10.0.0.1:25")
	table := table(t, farm(5, 5), second)
	tell(t, table, start, "a+ b+")
	host := netip.MustParseAddr("192.168.0.12")
	for _, tt := range []struct {
		files lvs.Files
		want  string
	}{
		{lvs.Files{"a": nil}, "a0 b5"},
		{lvs.Files{"192.168.0.12": nil}, "a5 b0"},
		{lvs.Files{"192.168.0.12:80": nil, "README": nil}, "a5 b0"},
		{lvs.Files{"192.168.0.12:81": nil}, "a5 b5"},
		{lvs.Files{"rs2.example.org": {host}}, "a5 b0"},
		{nil, "a5 b5"},
	} {
		table.Maintain(tt.files)
		if got := serving(table); got != tt.want {
			t.Errorf("with %v: %s, want %s", tt.files, got, tt.want)
		}
	}
	files := lvs.Files{"rs2.example.org": {host}, "192.168.0.12": nil, "README": nil}
	table.Maintain(files)
	for _, s := range table.Status(nil) {
		if r := s.Servers[1]; r.File != "192.168.0.12" || !r.Drained {
			t.Errorf("%s: drained by %q", s.Name, r.File)
		}
	}
	if diff := cmp.Diff([]string{"README"}, table.Unused(files)); diff != "" {
		t.Errorf("unused (-want +got):\n%s", diff)
	}
	must(t, table.Configure([]lvs.ServiceConfig{farm(5, 5, 5)}))
	if got := serving(table); got != "a5 b0" {
		t.Errorf("after a reload: %s", got)
	}
}

func TestMatch(t *testing.T) {
	second := farm(1, 1)
	second.Name, second.Service = "mail", tcp("10.0.0.1:25")
	second.Servers[0].Server.Address = ap("192.168.0.11:25")
	second.Servers = append(second.Servers, lvs.ServerConfig{Server: nat("192.168.0.11:26", 1)})
	table := table(t, farm(5, 5), second)
	for _, tt := range []struct {
		service, server string
		want            []lvs.Ref
		err             error
		text            string
	}{
		{"web", "a", []lvs.Ref{{Service: "web", Server: "a"}}, nil, ""},
		{"web", "192.168.0.11:80", []lvs.Ref{{Service: "web", Server: "a"}}, nil, ""},
		{"mail", "192.168.0.11", []lvs.Ref{{Service: "mail", Server: "a"}, {Service: "mail", Server: "192.168.0.11:26"}}, nil, ""},
		{"all", "b", []lvs.Ref{{Service: "web", Server: "b"}, {Service: "mail", Server: "b"}}, nil, ""},
		{"all", "192.168.0.11:80", []lvs.Ref{{Service: "web", Server: "a"}}, nil, ""},
		{"wbe", "a", nil, lvs.ErrUnknownService, `service "wbe": no such service is configured; the services are web, mail`},
		{"web", "c", nil, lvs.ErrUnknownServer, `service web, server "c": no such server is configured; the servers are a, b`},
		{"all", "c", nil, lvs.ErrUnknownServer, `server "c": no such server is configured`},
	} {
		got, err := table.Match(tt.service, tt.server)
		if diff := cmp.Diff(tt.want, got); diff != "" || !errors.Is(err, tt.err) {
			t.Errorf("%s %s: %v (-want +got):\n%s", tt.service, tt.server, err, diff)
		}
		if err != nil && err.Error() != tt.text {
			t.Errorf("%s %s: %q, want %q", tt.service, tt.server, err, tt.text)
		}
	}
}
