#!/bin/sh
# Linux macvlan: one in protodown shows NO-CARRIER and answers no ARP, but goes on
# receiving, and its host answers what arrives for its MAC and its addresses.
#
# FRR's vrrpd keeps the macvlan of a BACKUP in protodown with the virtual address
# on it. A frame for the virtual MAC that a switch floods is answered by the
# BACKUP as well. Only a device that is administratively down does not receive.
#
# Seen on Linux 6.18.44 with the iproute2 6.1.0 of Debian 12:
#
#   up: ARP answered, echo answered
#   protodown on: state DOWN, ARP not answered, echo answered
#   down: ARP not answered, echo not answered
#   as described
. "$(dirname "$0")/lib.sh"
namespace director
namespace client
at director ip link add eth0 type veth peer name eth0 netns "$(cat ns.client)"
at director ip addr add 10.0.0.2/24 dev eth0
at director sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_ignore'
at director ip link set eth0 up
at client ip addr add 10.0.0.9/24 dev eth0
at client ip link set eth0 up
at director ip link add vrrp link eth0 address 00:00:5e:00:01:33 type macvlan mode bridge
at director ip addr add 10.0.0.100/32 dev vrrp
at director ip link set vrrp up

cat >ask.py <<'PY'
import socket, struct, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
raw.bind(("eth0", 0))
raw.settimeout(0.1)
own = raw.getsockname()[4]
vmac = bytes.fromhex("00005e000133")
me, vip = socket.inet_aton("10.0.0.9"), socket.inet_aton("10.0.0.100")
def total(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return struct.pack("!H", ~s & 0xffff)
def answered(frame, test):
    raw.send(frame)
    end = time.time() + 1
    while time.time() < end:
        try:
            if test(raw.recv(2048)):
                return "answered"
        except TimeoutError:
            pass
    return "not answered"
arp = b"\xff" * 6 + own + b"\x08\x06" + bytes.fromhex("0001080006040001") + own + me + bytes(6) + vip
ip = bytes.fromhex("4500001c000000004001") 
ip = ip + total(ip + me + vip) + me + vip
icmp = b"\x08\x00" + total(b"\x08\x00\x00\x00\x00\x01\x00\x01") + b"\x00\x01\x00\x01"
print("ARP %s, echo %s" % (
    answered(arp, lambda f: f[12:14] == b"\x08\x06" and f[20:22] == b"\0\x02" and f[28:32] == vip),
    answered(vmac + own + b"\x08\x00" + ip + icmp, lambda f: f[12:14] == b"\x08\x00" and f[23] == 1 and f[26:30] == vip and f[34] == 0)))
PY
state() { at director ip -br link show vrrp | awk '{ print $2 }'; }
echo "Linux $(uname -r), $(ip -V)"
same "up" "ARP answered, echo answered" "$(at client python3 ask.py)"
at director ip link set vrrp protodown on
sleep 1
same "protodown on" "state DOWN, ARP not answered, echo answered" "state $(state), $(at client python3 ask.py)"
at director ip link set vrrp protodown off
at director ip link set vrrp down
same "down" "ARP not answered, echo not answered" "$(at client python3 ask.py)"
finish
