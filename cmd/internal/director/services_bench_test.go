package director

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
)

// thousands returns a configuration of 500 services with 10 servers each.
func thousands(weight int) string {
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "[[service]]\nname = \"s%d\"\naddress = \"10.1.%d.%d:80\"\nforward = \"dr\"\n[service.check]\ninterval = \"1h\"\n", i, i/250, 1+i%250)
		for j := range 10 {
			fmt.Fprintf(&b, "[[service.server]]\naddress = \"127.2.%d.%d:80\"\n", i/250*10+j, 1+i%250)
		}
	}
	return b.String() + fmt.Sprintf("weight = %d\n", weight)
}

// BenchmarkReload gives the services and the checks another configuration of 5000
// servers, of which one differs.
func BenchmarkReload(b *testing.B) {
	v := manyServices(b)
	configs := []*conf.Config{parse(b, thousands(1)), parse(b, thousands(2))}
	n := 0
	for b.Loop() {
		n++
		v.apply(configs[n%2])
		v.reconcile()
	}
}

// BenchmarkVerdict brings one of 5000 servers down and up.
func BenchmarkVerdict(b *testing.B) {
	v := manyServices(b)
	up := false
	for b.Loop() {
		v.verdict(checker.Change{ID: "s250/127.2.10.1:80", Up: up, At: time.Now()})
		up = !up
		v.reconcile()
	}
}

func manyServices(b *testing.B) *virtualServices {
	b.Helper()
	loop, _ := alone(b)
	memory, err := readIPVSState(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	v := newVirtualServices(loop, b.TempDir())
	v.problems, v.tracked = func([]status.Problem) {}, func(*conf.Service, serverView) {}
	v.balance = newBalancer(loop.log, memory, v.changed)
	v.checks = checker.New(checker.Options{Log: loop.log, NewProber: func(checker.Config) probe.Prober {
		return probe.ProberFunc(func(context.Context) error { return nil })
	}})
	b.Cleanup(func() { v.checks.Close(); v.close() })
	v.balance.attach(newFakeIPVS())
	v.apply(parse(b, thousands(1)))
	for i := range v.conf.Services {
		s := &v.conf.Services[i]
		for j := range s.Servers {
			v.balance.table.SetHealth(lvs.Ref{Service: s.Name, Server: s.Servers[j].Name}, lvs.Up)
		}
	}
	v.dirty = true
	v.reconcile()
	return v
}
