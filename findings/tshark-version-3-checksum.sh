#!/bin/sh
# tshark 4.0: a VRRP version 3 advert over IPv4 whose checksum covers the packet
# alone is shown as bad; the one with a pseudo-header is shown as good.
#
# RFC 5798 asked for a pseudo-header without a word about IPv4, and keepalived and
# FRR send it for IPv4 as well; RFC 9568 leaves it out there. A capture of a
# router that follows RFC 9568 is full of "[incorrect, should be 0x....]" although
# nothing is wrong.
#
# Seen with tshark 4.0.17-0+deb12u3 of Debian 12:
#
#   TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3)
#   with the pseudo-header (RFC 5798 as implemented): correct
#   packet alone (RFC 9568): incorrect
#   as described
. "$(dirname "$0")/lib.sh"
fetch tshark=4.0.17-0+deb12u3
WIRESHARK_DATA_DIR=$root/usr/share/wireshark
export WIRESHARK_DATA_DIR

python3 - <<'PY'
import socket, struct
def total(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return struct.pack("!H", ~s & 0xffff)
source, group = socket.inet_aton("10.0.0.2"), socket.inet_aton("224.0.0.18")
head, rest = bytes([0x31, 51, 150, 1, 0, 100]), socket.inet_aton("10.0.0.100")
def frame(checksum):
    advert = head + checksum + rest
    ip = bytes.fromhex("45c0") + struct.pack("!H", 20 + len(advert)) + bytes.fromhex("00000000ff70")
    ip += total(ip + source + group) + source + group
    return bytes.fromhex("01005e00001200005e0001330800") + ip + advert
plain = head + b"\0\0" + rest
pseudo = source + group + struct.pack("!BBH", 0, 112, len(plain))
with open("adverts.pcap", "wb") as f:
    f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
    for advert in frame(total(pseudo + plain)), frame(total(plain)):
        f.write(struct.pack("<IIII", 0, 0, len(advert), len(advert)) + advert)
PY
tshark --version 2>/dev/null | head -1
tshark -r adverts.pcap -V 2>/dev/null | sed -n "s/ *Checksum: 0x[0-9a-f]* \\[*\\(correct\\|incorrect\\).*/\\1/p" >seen
same "with the pseudo-header (RFC 5798 as implemented)" correct "$(sed -n 1p seen)"
same "packet alone (RFC 9568)" incorrect "$(sed -n 2p seen)"
finish
