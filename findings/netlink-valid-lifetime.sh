#!/bin/sh
# vishvananda/netlink v1.3.1: an Addr with ValidLft alone makes an address that is
# deprecated from the start, which the kernel does not choose as a source.
#
# PreferedLft stays 0, and the library sends both numbers once one of them is set.
# `ip address add ... valid_lft 60` alone is refused instead: there the preferred
# lifetime stays infinite. AddrAdd also adds a broadcast address that nobody asked
# for, which `ip address add` does not.
#
# Seen on Linux 6.18.44 with github.com/vishvananda/netlink v1.3.1 and the iproute2
# 6.1.0 of Debian 12:
#
#   AddrAdd with ValidLft 60: deprecated, brd 10.0.0.255
#   ip address add with valid_lft 60: preferred_lft is greater than valid_lft
#   ip address add with both lifetimes: not deprecated, no brd
#   as described
. "$(dirname "$0")/lib.sh"
gomod github.com/vishvananda/netlink@v1.3.1 <<'GO'
package main

import (
	"log"

	"github.com/vishvananda/netlink"
)

func main() {
	link, err := netlink.LinkByName("eth0")
	if err != nil {
		log.Fatal(err)
	}
	addr, err := netlink.ParseAddr("10.0.0.2/24")
	if err != nil {
		log.Fatal(err)
	}
	addr.ValidLft = 60
	if err := netlink.AddrAdd(link, addr); err != nil {
		log.Fatal(err)
	}
}
GO
describe() {
	at host ip -4 addr show dev eth0 >shown
	if grep -q deprecated shown; then printf deprecated; else printf 'not deprecated'; fi
	if grep -q ' brd ' shown; then sed -n 's/.*\( brd [0-9.]*\).*/,\1/p' shown; else echo ', no brd'; fi
}
namespace host
at host ip link add eth0 type veth peer name eth1
at host ip link set eth0 up
at host ./main
same "AddrAdd with ValidLft 60" "deprecated, brd 10.0.0.255" "$(describe)"
at host ip addr flush dev eth0
same "ip address add with valid_lft 60" "preferred_lft is greater than valid_lft" \
	"$(at host ip addr add 10.0.0.2/24 valid_lft 60 dev eth0 2>&1)"
at host ip addr add 10.0.0.2/24 valid_lft 60 preferred_lft 60 dev eth0
same "ip address add with both lifetimes" "not deprecated, no brd" "$(describe)"
finish
