#!/bin/sh
# vishvananda/netlink v1.3.1: ProcEventMonitor in a network namespace other than the
# first returns no error and never sends an event.
#
# The kernel's process connector listens in the first network namespace only, so the
# request to subscribe fails in any other one. The library does not look at the error
# of that send. A program in a container or namespace believes that it watches
# processes, and has to compare with /proc by itself.
#
# Seen on Linux 6.18.44 with github.com/vishvananda/netlink v1.3.1, while three
# processes ran:
#
#   in the first network namespace: error <nil>, events: some
#   in another one: error <nil>, events: none
#   as described
. "$(dirname "$0")/lib.sh"
gomod github.com/vishvananda/netlink@v1.3.1 <<'GO'
package main

import (
	"fmt"
	"os/exec"
	"time"

	"github.com/vishvananda/netlink"
)

func main() {
	events, errs, done := make(chan netlink.ProcEvent, 1000), make(chan error, 10), make(chan struct{})
	err := netlink.ProcEventMonitor(events, done, errs)
	for range 3 {
		_ = exec.Command("true").Run()
	}
	seen := "none"
	select {
	case <-events:
		seen = "some"
	case later := <-errs:
		seen = "none, but later the error " + later.Error()
	case <-time.After(3 * time.Second):
	}
	fmt.Printf("error %v, events: %s\n", err, seen)
}
GO
namespace other
first=$(./main)
case $first in
*"events: none"*) cannot "no process events arrive here; is this the first network namespace?" ;;
esac
same "in the first network namespace" "error <nil>, events: some" "$first"
same "in another one" "error <nil>, events: none" "$(at other ./main)"
finish
