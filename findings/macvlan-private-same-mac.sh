#!/bin/sh
# Linux macvlan, mode private: a multicast frame whose source MAC is that of a
# local macvlan that is up reaches only that macvlan, never its parent.
#
# Two VRRP MASTERs with one virtual MAC, on private macvlans and with sockets on
# the parent, do not hear each other and stay MASTER both. In mode bridge the
# parent gets every frame. A macvlan that is down makes no difference.
#
# Seen on Linux 6.18.44 with the iproute2 6.1.0 of Debian 12 (10 frames each):
#
#   mode private: parent 0, macvlan 10
#   mode bridge: parent 10, macvlan 0
#   mode private, macvlan down: parent 10, macvlan 0
#   as described
. "$(dirname "$0")/lib.sh"
namespace director
at director ip link add eth0 type veth peer name eth1
at director ip link set eth0 up
at director ip link set eth1 up

cat >count.py <<'PY'
import socket, sys, time
source = bytes.fromhex("00005e000133")
frame = bytes.fromhex("01005e000012") + source + b"\x88\xb5" + bytes(50)
def listen(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88b5))
    s.bind((name, 0x88b5))
    s.setblocking(False)
    return s
def count(s):
    n = 0
    while True:
        try:
            s.recv(2048)
            n += 1
        except (BlockingIOError, OSError):
            return n
parent = listen("eth0")
macvlan = listen("vrrp")
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("eth1", 0))
for i in range(10):
    wire.send(frame)
time.sleep(0.5)
print("parent %d, macvlan %d" % (count(parent), count(macvlan)))
PY
# try MODE STATE: who gets ten multicast frames with the macvlan's MAC as source.
try() {
	at director ip link add vrrp link eth0 address 00:00:5e:00:01:33 type macvlan mode "$1"
	at director ip link set vrrp "$2" allmulticast on
	sleep 0.5
	at director python3 count.py
	at director ip link del vrrp
}
echo "Linux $(uname -r), $(ip -V)"
same "mode private" "parent 0, macvlan 10" "$(try private up)"
same "mode bridge" "parent 10, macvlan 0" "$(try bridge up)"
same "mode private, macvlan down" "parent 10, macvlan 0" "$(try private down)"
finish
