#!/bin/sh
# NetworkManager 1.42: when it stops, it sets addr_gen_mode of the devices that it
# was told to leave alone from none to eui64. It spares one that it manages.
#
# NetworkManager.conf(5) says that devices in unmanaged-devices are ignored. A
# virtual router's device has addrgenmode none because the address that the kernel
# would make from the virtual MAC is the same on both directors. Once NetworkManager
# has been restarted, the kernel makes it the next time that the device comes up.
#
# Seen on Linux 6.18 with network-manager 1.42.4-1+deb12u1 of Debian 12:
#
#   nmcli tool, version 1.42.4
#   vrrp4-51: unmanaged, addrgenmode none
#   macvlan0: connected (externally), addrgenmode none
#   vrrp4-51, NetworkManager stopped: addrgenmode eui64
#   macvlan0, NetworkManager stopped: addrgenmode none
#   vrrp4-51, taken down and up: fe80::200:5eff:fe00:133/64
#   as described
. "$(dirname "$0")/lib.sh"
fetch network-manager=1.42.4-1+deb12u1 dbus-daemon=1.14.10-1~deb12u1
. "$here/nm.sh"
nm_director
macvlan vrrp4-51 00:00:5e:00:01:33
macvlan macvlan0 02:00:00:00:00:01
printf '[keyfile]\nunmanaged-devices+=interface-name:vrrp4-*\n' >conf.d/10-vrrp.conf
generates() { at director ip -d link show dev "$1" | grep -o 'addrgenmode [^ ]*'; }

$nm nmcli --version
nm_start
same "vrrp4-51" "unmanaged, addrgenmode none" "$(state vrrp4-51), $(generates vrrp4-51)"
same "macvlan0" "connected (externally), addrgenmode none" "$(state macvlan0), $(generates macvlan0)"
nm_stop
same "vrrp4-51, NetworkManager stopped" "addrgenmode eui64" "$(generates vrrp4-51)"
same "macvlan0, NetworkManager stopped" "addrgenmode none" "$(generates macvlan0)"
at director ip link set vrrp4-51 down
at director ip link set vrrp4-51 up
sleep 1
same "vrrp4-51, taken down and up" fe80::200:5eff:fe00:133/64 "$(at director ip -br -6 addr show dev vrrp4-51 | awk '{ print $3 }')"
finish
