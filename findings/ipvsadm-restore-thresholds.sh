#!/bin/sh
# ipvsadm 1.31: `ipvsadm -Sn | ipvsadm -R` loses the connection thresholds of
# every server, and `ipvsadm -e` with another weight turns NAT into direct routing.
#
# A saved table looks complete and restores without an error. An edit takes what
# it is not told from a new server's defaults: forwarding -g, thresholds 0. Saving
# prints the forwarding method and the weight, and nothing else of a server.
#
# Seen with ipvsadm 1:1.31-1+b1 on Linux 6.1.176, which is the user-mode-linux
# 6.1um4+b10 of Debian 12:
#
#   ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)
#   before: Masq, weight 5, thresholds 100 50
#   after -Sn | -C | -R: Masq, weight 5, thresholds 0 0
#   after -e -w 7 on the first: Route, weight 7, thresholds 0 0
#   as described
. "$(dirname "$0")/lib.sh"
fetch ipvsadm=1:1.31-1+b1 user-mode-linux kmod

. "$here/uml.sh"
guest ip_vs ip_vs_wlc <<'GUEST'
server() { ipvsadm -L -n | awk '/-> 192/ { printf "%s, weight %s", $3, $4 }'; ipvsadm -L -n --thresholds | awk '/-> 192/ { print ", thresholds " $3, $4 }'; }
fresh() {
	ipvsadm -C
	ipvsadm -A -t 10.0.0.100:80 -s wlc
	ipvsadm -a -t 10.0.0.100:80 -r 192.168.0.11:80 -m -w 5 -x 100 -y 50
}
ipvsadm --version
fresh
server
ipvsadm -Sn >/run/saved
ipvsadm -C
ipvsadm -R </run/saved
server
fresh
ipvsadm -e -t 10.0.0.100:80 -r 192.168.0.11:80 -w 7
server
GUEST
sed -n 1p seen
same "before" "Masq, weight 5, thresholds 100 50" "$(sed -n 2p seen)"
same "after -Sn | -C | -R" "Masq, weight 5, thresholds 0 0" "$(sed -n 3p seen)"
same "after -e -w 7 on the first" "Route, weight 7, thresholds 0 0" "$(sed -n 4p seen)"
finish
