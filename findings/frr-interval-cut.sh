#!/bin/sh
# FRR 8.4 vrrpd: an advertisement interval is cut to a multiple of 10 ms. The
# command is accepted without a word, and the running configuration shows the
# value that was cut.
#
# `vrrp 51 advertisement-interval 995` sends every 990 ms, and says 99
# centiseconds in its adverts. A version 3 peer that is configured with the same
# 995 ms and compares intervals sees a difference.
#
# Seen on Linux 6.18 with FRR 8.4.4-1.1~deb12u2 of Debian 12:
#
#   vrrpd version 8.4.4
#   configured 995, shown: advertisement-interval 990
#   centiseconds in its advert: 99
#   as described
. "$(dirname "$0")/lib.sh"
fetch frr=8.4.4-1.1~deb12u2
. "$here/frr.sh"
namespace director
frr_director 51 995
at director "$frr/vrrpd" --version | head -1
same "configured 995, shown" "advertisement-interval 990" \
	"$(vty vrrpd "show running-config" | sed -n 's/.*\(advertisement-interval .*\)/\1/p')"
same "centiseconds in its advert" 99 "$(at director python3 -c '
import socket
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
wire.bind(("eth1", 0))
wire.settimeout(20)
while True:
    frame = wire.recv(4096)
    if frame[12:14] == b"\x08\x00" and frame[23] == 112:
        advert = frame[14 + 4 * (frame[14] & 15):]
        print((advert[4] & 15) << 8 | advert[5])
        break')"
finish
