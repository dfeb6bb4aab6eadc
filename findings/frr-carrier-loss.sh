#!/bin/sh
# FRR 8.4 vrrpd: a MASTER whose interface loses its carrier stays MASTER.
#
# The other director, which hears nothing, takes over, and when the port comes
# back both are MASTER until an advert is heard. The status gives no hint.
#
# Seen on Linux 6.18 with FRR 8.4.4-1.1~deb12u2 of Debian 12:
#
#   vrrpd version 8.4.4
#   status with a carrier: Master
#   eth0, its port taken down: NO-CARRIER
#   status 5 s later, at an interval of 1 s: Master
#   as described
. "$(dirname "$0")/lib.sh"
fetch frr=8.4.4-1.1~deb12u2
. "$here/frr.sh"
namespace director
frr_director 51 1000
status() { vty vrrpd "show vrrp" | sed -n 's/.*Status (v4) *\([A-Za-z]*\).*/\1/p'; }
at director "$frr/vrrpd" --version | head -1
until [ "$(status)" = Master ]; do sleep 0.5; done
same "status with a carrier" Master "$(status)"
at director ip link set eth1 down
same "eth0, its port taken down" NO-CARRIER "$(at director ip -br link show eth0 | grep -o NO-CARRIER)"
sleep 5
same "status 5 s later, at an interval of 1 s" Master "$(status)"
finish
