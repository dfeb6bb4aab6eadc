#!/bin/sh
# keepalived 2.2.7, use_vmac: a clean stop leaves arp_ignore=1 and arp_filter=1
# on the base interface.
#
# Whoever measures or replaces keepalived on a running machine inherits them:
# with arp_filter=1 the interface answers ARP only where the route back leaves by
# it. The macvlan itself is deleted.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   arp_ignore, arp_filter before the start: 0 0
#   while it runs: 1 1
#   after SIGTERM, exit 0: 1 1
#   macvlans left: 0
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
    use_vmac
    virtual_router_id 51
    priority 150
    advert_int 1
    virtual_ipaddress {
        10.0.0.100/24
    }
}
CONF
settings() { at director cat /proc/sys/net/ipv4/conf/eth0/arp_ignore /proc/sys/net/ipv4/conf/eth0/arp_filter | paste -sd' '; }

keepalived --version 2>&1 | head -1
same "arp_ignore, arp_filter before the start" "0 0" "$(settings)"
at director keepalived -n -l -G -P -f keepalived.conf -p ka.pid -r vrrp.pid >keepalived.log 2>&1 &
until at director ip -br addr show | grep -q 10.0.0.100; do sleep 0.2; done
same "while it runs" "1 1" "$(settings)"
kill "$(cat ka.pid)"
code=0
wait $! || code=$?
same "after SIGTERM, exit $code" "1 1" "$(settings)"
same "macvlans left" 0 "$(at director ip link show type macvlan | grep -c macvlan || true)"
finish
