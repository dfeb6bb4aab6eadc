#!/bin/sh
# keepalived 2.2.7, use_vmac: a new MASTER sends its first advert before it has
# the virtual address.
#
# The advert comes from the virtual MAC, so switches already send traffic to a
# director that does not have the address yet. With ip_forward=1 it routes that
# traffic on, and asks for the address by ARP.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   its first two system calls as MASTER: advert address
#   as described
. "$(dirname "$0")/lib.sh"
fetch keepalived=1:2.2.7-1+b2 strace=6.1-0.1

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

keepalived --version 2>&1 | head -1
at director strace -f -e trace=sendmsg,sendto -s 4096 -o calls \
	keepalived -n -l -G -P -f keepalived.conf -p ka.pid -r vrrp.pid >keepalived.log 2>&1 &
until at director ip -br addr show | grep -q 10.0.0.100; do sleep 0.2; done
sleep 1
kill "$(cat ka.pid)"
wait $!
order=$(sed -n '/sin_addr=inet_addr("224.0.0.18")/s/.*/advert/p; /RTM_NEWADDR/s/.*/address/p' calls | head -2 | paste -sd' ')
same "its first two system calls as MASTER" "advert address" "$order"
finish
