#!/bin/sh
# keepalived 2.2.7, use_vmac: a client's ARP entry for the virtual address turns
# from the virtual MAC to the interface's own as soon as the director has to
# resolve the client.
#
# keepalived puts the virtual address on a macvlan with the virtual MAC, but sets
# arp_announce nowhere. The reply to a client leaves by the base interface. If the
# client is not in the director's neighbour table, the kernel asks for it with the
# virtual address as the sender's IP and the base interface's MAC as the sender's
# MAC, and the client takes that over. A director whose table is warm hides it.
#
# Seen on Linux 6.18 with keepalived 1:2.2.7-1+b2 of Debian 12:
#
#   Keepalived v2.2.7 (01/16,2022)
#   arp_announce of eth0 and of the macvlan: 0 0
#   the client's entry while the director knows the client: virtual MAC
#   the client's entry once the director had to resolve it: MAC of eth0
#   as described
. "$(dirname "$0")/lib.sh"
fetch keepalived=1:2.2.7-1+b2

namespace director
namespace client
at director ip link add eth0 type veth peer name eth0 netns "$(cat ns.client)"
at director ip addr add 10.0.0.2/24 dev eth0
at director ip link set eth0 up
at client ip addr add 10.0.0.9/24 dev eth0
at client ip link set eth0 up
own=$(at director ip -br link show eth0 | awk '{ print $3 }')

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
at director keepalived -n -l -G -P -f keepalived.conf -p ka.pid -r vrrp.pid >keepalived.log 2>&1 &
until at director ip -br addr show | grep -q 10.0.0.100; do sleep 0.2; done
sleep 1

entry() {
	mac=$(at client ip neigh show 10.0.0.100 | awk '{ print $5 }')
	case $mac in
	00:00:5e:00:01:33) echo "virtual MAC" ;;
	"$own") echo "MAC of eth0" ;;
	*) echo "${mac:-none}" ;;
	esac
}
# An echo over UDP: the director answers that the port is closed.
packet() {
	at client python3 -c 'import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendto(b"x", ("10.0.0.100", 9))'
	sleep 1
}
announce() { at director cat /proc/sys/net/ipv4/conf/eth0/arp_announce /proc/sys/net/ipv4/conf/vrrp.51/arp_announce | paste -sd' '; }

same "arp_announce of eth0 and of the macvlan" "0 0" "$(announce)"
mac=$(at client ip -br link show eth0 | awk '{ print $3 }')
at director ip neigh replace 10.0.0.9 lladdr "$mac" dev eth0 nud permanent
packet
same "the client's entry while the director knows the client" "virtual MAC" "$(entry)"
at director ip neigh del 10.0.0.9 dev eth0
packet
same "the client's entry once the director had to resolve it" "MAC of eth0" "$(entry)"
kill "$(cat ka.pid)"
wait $!
finish
