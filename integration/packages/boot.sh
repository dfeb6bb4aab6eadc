#!/bin/sh
# Boots the systemd of a root, in the caller's network namespace. It ends with its parent.
# What is written goes to memory; the root itself stays as it is.
#
# usage: boot.sh ROOT GROUP      GROUP is a control group of version 2 that is to be made
set -eu

mkdir -p "$2"
echo $$ >"$2/cgroup.procs"
exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child=KILL sh -euc '
	mount --make-rprivate /
	mount -t tmpfs tmpfs /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o "lowerdir=$1,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
	cd /mnt/root
	mount -t proc proc proc
	mount -t sysfs -o ro sysfs sys
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=755 tmpfs dev
	mkdir dev/pts dev/shm
	for node in null zero full random urandom tty; do
		touch dev/$node
		mount --bind /dev/$node dev/$node
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	mkdir -p .old
	pivot_root . .old
	umount -l .old
	# Credentials of units reach them by propagation.
	mount --make-rshared /
	exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin container=lab /lib/systemd/systemd --log-target=console --log-level=warning </dev/null
' sh "$1"
