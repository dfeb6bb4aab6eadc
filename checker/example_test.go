package checker_test

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"holdfast/checker"
	"holdfast/checker/probe"
)

// A realserver comes up after one good result and goes down after two bad ones.
func Example() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	changes := make(chan checker.Change, 2)
	set := checker.New(checker.Options{OnChange: func(c checker.Change) { changes <- c }})
	defer set.Close()
	check := checker.Config{
		ID: "web/rs1", Probe: probe.TCP{}, Address: netip.MustParseAddrPort(server.Addr().String()),
		Interval: 20 * time.Millisecond, Timeout: time.Second, Rise: 1, Fall: 2,
	}
	if err := set.Apply([]checker.Config{check}); err != nil {
		fmt.Println(err)
		return
	}
	up := <-changes
	fmt.Println(up.ID, "up:", up.Up, "because it", up.Reason)

	server.Close()
	down := <-changes
	fmt.Println(down.ID, "up:", down.Up, "because of", down.Reason)
	// Output:
	// web/rs1 up: true because it answered
	// web/rs1 up: false because of connect: connection refused
}
