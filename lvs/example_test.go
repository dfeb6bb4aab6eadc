package lvs_test

import (
	"fmt"
	"net/netip"

	"holdfast/lvs"
	"holdfast/lvs/lvstest"
)

// A service with two servers and a fallback: the checks find the first server up,
// then both down.
func Example() {
	table := lvs.NewTable()
	err := table.Configure([]lvs.ServiceConfig{{
		Name: "web",
		Service: lvs.Service{
			Key:       lvs.Key{Protocol: lvs.TCP, Address: netip.MustParseAddrPort("10.0.0.100:80")},
			Scheduler: "wlc",
		},
		Servers: []lvs.ServerConfig{
			{Name: "rs1", Server: lvs.Server{Address: netip.MustParseAddrPort("192.168.0.11:80"), Forward: lvs.NAT, Weight: 5}},
			{Name: "rs2", Server: lvs.Server{Address: netip.MustParseAddrPort("192.168.0.12:80"), Forward: lvs.NAT, Weight: 5}},
		},
		Fallbacks: []netip.AddrPort{netip.MustParseAddrPort("192.168.0.1:8080")},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}

	// The table wants a service; the plan leads there from an empty kernel.
	table.SetHealth(lvs.Ref{Service: "web", Server: "rs1"}, lvs.Up)
	for _, op := range lvs.Plan(nil, table.Wanted(), nil) {
		fmt.Println(op)
	}

	// An Applier reads the kernel, plans and makes the changes.
	var kernel lvstest.Fake
	applier := lvs.NewApplier(&kernel, nil, nil)
	if _, err := applier.Apply(table.Keys(), table.Wanted()); err != nil {
		fmt.Println(err)
		return
	}
	table.SetHealth(lvs.Ref{Service: "web", Server: "rs1"}, lvs.Down)
	report, err := applier.Apply(table.Keys(), table.Wanted())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("after the last server went down:")
	for _, change := range report.Changes {
		fmt.Println(change.Op)
	}
	// Output:
	// ipvsadm -A -t 10.0.0.100:80 -s wlc
	// ipvsadm -a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5
	// after the last server went down:
	// ipvsadm -a -t 10.0.0.100:80 -r 192.168.0.1:8080 -m -w 1
	// ipvsadm -d -t 10.0.0.100:80 -r 192.168.0.11:80
}
