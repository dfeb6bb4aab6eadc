#!/bin/sh
# NetworkManager 1.42: `managed=0` in a section [device-...] has no effect on a
# device that NetworkManager has seen before, neither on reload nor when it is
# restarted. `[keyfile] unmanaged-devices` has one on reload.
#
# NetworkManager.conf(5) says that the section may be the better choice of the two,
# and that it can be overruled at runtime via D-Bus. Nobody need have done that:
# NetworkManager writes managed=true into /run/NetworkManager/devices for every
# device that it manages, also for one of others ("connected (externally)"), and
# what is there wins over the section when it starts again. An administrator who adds
# the section on a running director has a file that looks right, and a device that
# is managed until it is made anew or the machine boots.
#
# Seen on Linux 6.18 with network-manager 1.42.4-1+deb12u1 of Debian 12:
#
#   nmcli tool, version 1.42.4
#   two macvlans without a file: connected (externally), connected (externally)
#   unmanaged-devices+= for the second, after a reload: unmanaged
#   [device-vrrp] managed=0 for the first, after a reload: connected (externally)
#   a third that the section matches, made after the reload: unmanaged
#   the first, NetworkManager restarted: connected (externally)
#   its file in /run/NetworkManager/devices: managed=true
#   the first, NetworkManager restarted without that file: unmanaged
#   as described
. "$(dirname "$0")/lib.sh"
fetch network-manager=1.42.4-1+deb12u1 dbus-daemon=1.14.10-1~deb12u1
. "$here/nm.sh"
nm_director
macvlan vrrp4-51 00:00:5e:00:01:33
macvlan vrrp6-51 00:00:5e:00:02:33

$nm nmcli --version
nm_start
same "two macvlans without a file" "connected (externally), connected (externally)" "$(state vrrp4-51), $(state vrrp6-51)"
printf '[keyfile]\nunmanaged-devices+=interface-name:vrrp6-*\n' >conf.d/10-vrrp6.conf
nm_reload
same "unmanaged-devices+= for the second, after a reload" unmanaged "$(state vrrp6-51)"
printf '[device-vrrp]\nmatch-device=interface-name:vrrp4-*\nmanaged=0\n' >conf.d/10-vrrp4.conf
nm_reload
same "[device-vrrp] managed=0 for the first, after a reload" "connected (externally)" "$(state vrrp4-51)"
macvlan vrrp4-52 00:00:5e:00:01:34
sleep 2
same "a third that the section matches, made after the reload" unmanaged "$(state vrrp4-52)"
nm_stop
nm_start
same "the first, NetworkManager restarted" "connected (externally)" "$(state vrrp4-51)"
nm_stop
kept=/run/NetworkManager/devices/$($nm cat /sys/class/net/vrrp4-51/ifindex)
same "its file in /run/NetworkManager/devices" managed=true "$($nm grep managed "$kept")"
$nm rm "$kept"
nm_start
same "the first, NetworkManager restarted without that file" unmanaged "$(state vrrp4-51)"
finish
