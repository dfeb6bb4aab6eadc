# Sourced after lib.sh by the scripts about NetworkManager: runs it in the network
# namespace "director", with a D-Bus, a /run and a state folder of its own.
# NetworkManager and dbus-daemon are fetched before.
#
# shellcheck shell=sh disable=SC2086,SC2154

# NetworkManager leaves eth0 and eth1 alone, and writes nothing outside of the
# namespaces (resolv.conf, the host name).
mkdir conf.d
: >NetworkManager.conf
cat >conf.d/00-finding.conf <<'CONF'
[main]
plugins=keyfile
auth-polkit=false
dns=none
hostname-mode=none
[keyfile]
unmanaged-devices=interface-name:eth*
CONF
cat >bus.conf <<'CONF'
<busconfig>
  <listen>unix:path=/run/dbus.socket</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
CONF

# nm_director makes the namespaces, with eth0, whose other end is eth1. $nm COMMAND
# runs a command in them. /sys is read-only there, as in a container: NetworkManager
# then expects no udev.
nm_director() {
	# shellcheck disable=SC2016
	unshare --net --mount sh -c '
		mount -t tmpfs none /run && mount -t tmpfs none /var/lib && mount -t sysfs -o ro none /sys &&
			mkdir /var/lib/NetworkManager && exec dbus-daemon --nofork --config-file="$1"' sh "$work/bus.conf" >bus.log 2>&1 &
	echo $! >ns.director
	sleepers="$sleepers $!"
	nm="nsenter --net=/proc/$!/ns/net --mount=/proc/$!/ns/mnt env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/dbus.socket"
	within 20 "a D-Bus" $nm test -S /run/dbus.socket
	at director ip link set lo up
	at director ip link add eth0 type veth peer name eth1
	at director ip link set eth0 up
	at director ip link set eth1 up
}

# macvlan NAME MAC makes a device of a virtual router: it is up, has an address,
# and the kernel generates none for it.
macvlan() {
	at director ip link add "$1" link eth0 address "$2" type macvlan mode bridge
	at director ip link set "$1" addrgenmode none
	at director ip addr add 10.0.0.100/24 dev "$1"
	at director ip link set "$1" up
}

# within SECONDS WHAT COMMAND... waits until a command succeeds.
within() {
	tries=$(($1 * 5))
	what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$tries" -gt 0 ] || cannot "no sign of $what"
		tries=$((tries - 1))
		sleep 0.2
	done
}

# nm_start and nm_stop start and stop NetworkManager; nm_reload has it read its
# files again, with time to heed them.
nm_start() {
	$nm NetworkManager --debug --config="$work/NetworkManager.conf" --config-dir="$work/conf.d" >>nm.log 2>&1 &
	manager=$!
	within 60 "NetworkManager" nm_started
	sleep 2
}
nm_started() { [ "$($nm timeout 5 nmcli -t -f STARTUP general)" = started ]; }
nm_stop() {
	kill "$manager"
	wait "$manager" || true
}
nm_reload() {
	$nm nmcli general reload
	sleep 3
}

# state NAME prints what NetworkManager says of a device.
state() { $nm nmcli -t -f DEVICE,STATE device | sed -n "s/^$1://p"; }
