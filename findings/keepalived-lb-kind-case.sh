#!/bin/sh
# keepalived 2.2.7: the values of lb_kind and lb_algo are case-sensitive, in
# opposite ways: `lb_kind dr` runs as NAT, and `lb_algo WRR` runs as wlc.
#
# Keywords of both cases are found in configurations in use. keepalived says that
# it does not know the word, takes the default and runs on, so what was written
# as direct routing is NAT; `keepalived -t` exits 5, as it does for mere remarks.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   lb_kind dr: no forwarding method set, setting default NAT
#   lb_algo WRR: no scheduler set, setting default 'wlc'
#   lb_kind DR, lb_algo wrr: exit 0, no word
#   as described
. "$(dirname "$0")/lib.sh"
fetch keepalived=1:2.2.7-1+b2
namespace director

# try KIND ALGORITHM: what the test of a configuration with them says.
try() {
	cat >keepalived.conf <<CONF
virtual_server 10.0.0.100 80 {
    lb_kind $1
    lb_algo $2
    protocol TCP
    real_server 10.0.0.11 80 {
        weight 1
    }
}
CONF
	code=0
	at director keepalived -t -f keepalived.conf >said 2>&1 || code=$?
	if [ "$code" = 0 ] && [ ! -s said ]; then echo "exit 0, no word"; fi
	sed -n 's/.*: \(no .* set, setting default .*\)/\1/p' said
}
keepalived --version 2>&1 | head -1
same "lb_kind dr" "no forwarding method set, setting default NAT" "$(try dr wrr)"
same "lb_algo WRR" "no scheduler set, setting default 'wlc'" "$(try DR WRR)"
same "lb_kind DR, lb_algo wrr" "exit 0, no word" "$(try DR wrr)"
finish
