# Sourced after lib.sh: runs commands on the real kernel of User Mode Linux.
#
# shellcheck shell=sh disable=SC2154

# guest MODULE... boots User Mode Linux (fetched before: user-mode-linux kmod iproute2)
# with modules, and runs the shell commands of standard input there. What these
# print is in the file "seen" afterwards.
guest() {
	mkdir -p shared
	ln -sf "$root/bin/kmod" modprobe
	cat >commands.sh
	cat >init.sh <<INIT
#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
mount -t hostfs -o $work/shared hostfs /mnt
PATH=$PATH
export LD_LIBRARY_PATH=${LD_LIBRARY_PATH:-}
mkdir -p /run/m/lib/modules
ln -s $root/usr/lib/uml/modules/\$(uname -r) /run/m/lib/modules/\$(uname -r)
ip link set lo up
$work/modprobe -d /run/m -a $*
. $work/commands.sh >/mnt/seen 2>&1
sync
/sbin/halt -f 2>/dev/null || echo o >/proc/sysrq-trigger
INIT
	chmod +x init.sh
	timeout 60 linux.uml mem=256M root=/dev/root rootfstype=hostfs rootflags=/ ro quiet \
		init="$work/init.sh" uml_dir="$work/uml" umid=finding con=null con0=null,fd:1 ssl=null >console 2>&1 </dev/null || true
	[ -s shared/seen ] || {
		cat console >&2
		cannot "User Mode Linux did not start"
	}
	mv shared/seen seen
}
