#!/bin/sh
# keepalived 2.2.7: `state MASTER` without a priority means priority 255, and the
# instance is MASTER at once. Without `state` the default is 100.
#
# Two directors that differ only in their state lines, which looks like the usual
# pair, are at 255 and 100. 255 is the address owner's priority: it preempts
# whatever nopreempt says, and a negative weight of a script is added to 255.
# `keepalived -t` says nothing and exits 0.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   keepalived -t, exit code and lines of output: 0 0
#   priority with state MASTER: 255
#   priority without a state: 100
#   as described
. "$(dirname "$0")/lib.sh"
fetch keepalived=1:2.2.7-1+b2

namespace director
at director ip link add eth0 type veth peer name eth1
at director ip addr add 10.0.0.2/24 dev eth0
at director ip link set eth0 up
at director ip link set eth1 up

configuration() {
	cat <<CONF
vrrp_instance outside {
    $1
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        10.0.0.100/24
    }
}
CONF
}
configuration "state MASTER" >master.conf
configuration "" >none.conf

# priority FILE: what the dump of the running configuration says.
priority() {
	at director keepalived -n -l -G -d -P -f "$1" -p ka.pid -r vrrp.pid >log 2>&1 &
	until grep -q '(outside) Entering' log 2>/dev/null; do sleep 0.2; done
	kill "$(cat ka.pid)"
	wait $!
	sed -n 's/.* Priority = \([0-9]*\)$/\1/p' log | head -1
}
keepalived --version 2>&1 | head -1
code=0
at director keepalived -t -f master.conf >said 2>&1 || code=$?
same "keepalived -t, exit code and lines of output" "0 0" "$code $(grep -c . said || true)"
same "priority with state MASTER" 255 "$(priority master.conf)"
same "priority without a state" 100 "$(priority none.conf)"
finish
