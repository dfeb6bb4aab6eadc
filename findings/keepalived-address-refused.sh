#!/bin/sh
# keepalived 2.2.7: a virtual address that the kernel refuses is not named, and the
# instance becomes MASTER without it.
#
# Linux refuses a second address of a subnet whose scope is not that of the first
# (EINVAL). "scope" is a documented word of an address line, so two addresses of one
# subnet can have different ones. The log has one line with an error number. The
# instance is MASTER, announces itself, and one of its addresses is nowhere.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   states: MASTER
#   addresses: 10.0.0.100/24
#   lines of the log about 10.0.0.101: 0
#   error: Netlink: error: Invalid argument(22), type=RTM_NEWADDR(20)
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
    advert_int 1
    virtual_ipaddress {
        10.0.0.100/24
        10.0.0.101/24 scope link
    }
}
CONF
keepalived --version 2>&1 | head -1
at director keepalived -n -l -G -P -f keepalived.conf -p ka.pid -r vrrp.pid >keepalived.log 2>&1 &
until at director ip -br addr show | grep -q 10.0.0.100; do sleep 0.2; done
sleep 2 # long enough for another try and for a transition
same "states" MASTER "$(grep -o 'Entering [A-Z]* STATE' keepalived.log | tail -n 1 | cut -d' ' -f2)"
same "addresses" 10.0.0.100/24 "$(at director ip -o -4 addr show dev eth0 | grep -o '10\.0\.0\.10[0-9]/24' | paste -sd' ')"
same "lines of the log about 10.0.0.101" 0 "$(grep -c 10.0.0.101 keepalived.log || true)"
same "error" "Netlink: error: Invalid argument(22), type=RTM_NEWADDR(20)" "$(grep -o 'Netlink: error.*RTM_NEWADDR(20)' keepalived.log | sort -u)"
kill "$(cat ka.pid)"
wait $! || true
finish
