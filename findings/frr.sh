# Sourced by the scripts about FRR: a director with FRR's zebra and vrrpd.
#
# shellcheck shell=sh disable=SC1091
# shellcheck disable=SC2154

frr=$root/usr/lib/frr

# frr_director VRID INTERVAL runs vrrpd in the namespace "director", on eth0,
# whose other end is eth1. FRR wants the macvlan made beforehand.
frr_director() {
	at director ip link add eth0 type veth peer name eth1
	at director ip addr add 10.0.0.2/24 dev eth0
	at director ip link set eth0 up
	at director ip link set eth1 up
	at director ip link add "vrrp4-$1" link eth0 address "$(printf '00:00:5e:00:01:%02x' "$1")" type macvlan mode bridge
	at director ip addr add 10.0.0.100/24 dev "vrrp4-$1"
	at director ip link set "vrrp4-$1" up
	cat >vrrpd.conf <<CONF
interface eth0
 vrrp $1 version 3
 vrrp $1 priority 200
 vrrp $1 advertisement-interval $2
 vrrp $1 ip 10.0.0.100
CONF
	: >zebra.conf
	# FRR insists on groups of its own and writes below /run: it gets both.
	cp /etc/group group
	echo 'frrvty:x:65533:root
frr:x:65532:root' >>group
	mkdir frr
	for daemon in zebra vrrpd; do
		at director unshare --mount sh -c 'mount --bind group /etc/group && mount -t tmpfs none /run && mount -t tmpfs none /var/tmp && exec "$@"' sh \
			"$frr/$daemon" -u root -g root -z "$work/frr/zserv.api" --vty_socket "$work/frr" \
			-i "$work/frr/$daemon.pid" -f "$work/$daemon.conf" -P 0 --log stdout >"$daemon.log" 2>&1 &
		sleepers="$sleepers $!"
		until [ -S "frr/$daemon.vty" ]; do sleep 0.2; done
	done
}

# vty DAEMON COMMAND asks a daemon by its socket.
vty() {
	python3 - "$work/frr/$1.vty" "$2" <<'PY'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
for command in ("enable", sys.argv[2]):
    s.send(command.encode() + b"\0")
    said = b""
    while said[-4:-1] != b"\0\0\0":
        part = s.recv(65536)
        if not part:
            break
        said += part
print(said[:-4].decode())
PY
}
