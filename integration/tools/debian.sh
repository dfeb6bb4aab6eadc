#!/bin/sh
# Make a clean Debian root with systemd and NetworkManager: the packages of this machine's
# release, unpacked but not configured, which takes seconds. dpkg works in it, and systemd
# boots from it.
#
# usage: debian.sh FOLDER     does nothing if the folder is as wanted
set -eu

root=$1
apt=$root.apt
packages='?essential dbus kmod network-manager systemd'
wanted="2 $packages $(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)"
[ "$(cat "$root/stamp" 2>/dev/null)" = "$wanted" ] && exit 0

if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	echo "debian.sh: this is not a Debian or Ubuntu machine" >&2
	exit 1
fi

rm -rf "$root" "$apt"
mkdir -p "$apt/state/lists/partial" "$apt/archives/partial" "$root/etc"
: >"$apt/state/status"
apt_get() {
	apt-get -qq -y \
		-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/state/status" -o "Dir::Cache=$apt" \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true \
		-o Acquire::Retries=3 "$@"
}
echo "debian.sh: fetching a Debian root into $root"
apt_get update || echo "debian.sh: some package lists could not be fetched, trying with the others" >&2
# shellcheck disable=SC2086
apt_get install --download-only $packages

for folder in bin sbin lib lib64; do
	mkdir -p "$root/usr/$folder"
	ln -s "usr/$folder" "$root/$folder"
done
for deb in "$apt"/archives/*.deb; do
	dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
done
# What the maintainer scripts of the base would have made.
for file in passwd group; do
	cp "$root/usr/share/base-passwd/$file.master" "$root/etc/$file"
done
rm -r "$root/var/run"
ln -s /run "$root/var/run" # where NetworkManager looks for the bus
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
: >"$root/var/lib/dpkg/status"
: >"$root/etc/machine-id"
echo holdfast-test >"$root/etc/hostname"
rm -rf "$apt"
echo "$wanted" >"$root/stamp"
