#!/bin/sh
# keepalived 2.2.7: `keepalived -t` exits 0 without a word for a notify script
# that the daemon then refuses to use.
#
# `notify_master /bin/true up` is a path and a user: only a quoted string may hold
# arguments. The daemon says that there is no user "up", ignores the script and
# runs on; the configuration test does not look.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   keepalived -t, exit code and lines of output: 0 0
#   the daemon: Invalid user/group for notify script /bin/true - ignoring
#   as described
. "$(dirname "$0")/lib.sh"
fetch keepalived=1:2.2.7-1+b2

namespace director
at director ip link add eth0 type veth peer name eth1
at director ip addr add 10.0.0.2/24 dev eth0
at director ip link set eth0 up
at director ip link set eth1 up

cat >keepalived.conf <<'CONF'
vrrp_instance outside {
    interface eth0
    virtual_router_id 51
    priority 150
    virtual_ipaddress {
        10.0.0.100/24
    }
    notify_master /bin/true up
}
CONF
keepalived --version 2>&1 | head -1
code=0
at director keepalived -t -f keepalived.conf >said 2>&1 || code=$?
same "keepalived -t, exit code and lines of output" "0 0" "$code $(grep -c . said || true)"
at director keepalived -n -l -G -P -f keepalived.conf -p ka.pid -r vrrp.pid >log 2>&1 &
until grep -q '(outside) Entering' log 2>/dev/null; do sleep 0.2; done
kill "$(cat ka.pid)"
wait $!
same "the daemon" "Invalid user/group for notify script /bin/true - ignoring" \
	"$(sed -n 's/.*\(Invalid user.*\)/\1/p' log | head -1)"
finish
