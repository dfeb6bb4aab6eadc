#!/bin/sh
# vishvananda/netlink v1.3.1: a subscription with ListExisting sends its request
# for the list to the multicast group, so every other subscriber of the network
# namespace receives it, whatever process it belongs to.
#
# The library's own link subscriptions report "Wrong sender portid" to their
# ErrorCallback and go on. A program that takes an error for the end of its
# subscription, as is usual, ends it.
#
# Seen on Linux 6.18.44 with github.com/vishvananda/netlink v1.3.1 and the iproute2
# 6.1.0 of Debian 12:
#
#   errors of a plain subscription, while another one starts: 0
#   errors of it, while another one starts with ListExisting: 1
#   its error: Wrong sender portid N, expected 0
#   as described
. "$(dirname "$0")/lib.sh"
gomod github.com/vishvananda/netlink@v1.3.1 <<'GO'
package main

import (
	"fmt"
	"log"
	"os"
	"time"

	"github.com/vishvananda/netlink"
)

// listen subscribes to links and prints the errors of the subscription; list
// asks for those that exist, too.
func main() {
	opts := netlink.LinkSubscribeOptions{
		ListExisting:  os.Args[1] == "list",
		ErrorCallback: func(err error) { fmt.Println(err) },
	}
	updates := make(chan netlink.LinkUpdate, 100)
	if err := netlink.LinkSubscribeWithOptions(updates, nil, opts); err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, "ready")
	time.Sleep(3 * time.Second)
}
GO
namespace host
at host ip link add eth0 type veth peer name eth1
# try HOW: the errors of a subscription while another process subscribes.
try() {
	: >ready
	at host ./main listen >errors 2>ready &
	until grep -q ready ready; do sleep 0.1; done
	at host ./main "$1" >/dev/null 2>&1
	wait $!
}
try listen
same "errors of a plain subscription, while another one starts" 0 "$(grep -c . errors || true)"
try list
same "errors of it, while another one starts with ListExisting" 1 "$(grep -c . errors || true)"
same "its error" "Wrong sender portid N, expected 0" "$(sed 's/portid [0-9]*/portid N/' errors)"
finish
