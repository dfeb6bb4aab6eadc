# Sourced by the scripts beside it: fetch what a finding needs, compare what it
# shows, and end with the exit code that findings/README.md describes.
#
# shellcheck shell=sh disable=SC1091

set -eu
[ "$(id -u)" = 0 ] || {
	echo "cannot run: this needs root" >&2
	exit 2
}
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX")
root=$work/root
changed=
sleepers=
# cleanup ends whatever still runs in a namespace of the script, and removes its files.
# A program that "at" started in the background is not the process that $! names.
cleanup() {
	for file in "$work"/ns.*; do
		net=$(readlink "/proc/$(cat "$file" 2>/dev/null)/ns/net") || continue
		for process in /proc/[0-9]*; do
			if [ "$(readlink "$process/ns/net")" = "$net" ]; then kill "${process#/proc/}" 2>/dev/null || true; fi
		done
	done
	# shellcheck disable=SC2086
	kill $sleepers 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
cd "$work"

# cannot ends a finding that could not be tried.
cannot() {
	echo "cannot run: $*" >&2
	exit 2
}

# namespace NAME makes a network namespace that lives as long as the script;
# at NAME COMMAND... runs a command in it.
namespace() {
	unshare --net sleep 900 &
	echo $! >"$work/ns.$1"
	sleepers="$sleepers $!"
	until [ "$(readlink "/proc/$!/ns/net")" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
	at "$1" ip link set lo up
}
at() {
	inside=$(cat "$work/ns.$1")
	shift
	nsenter --net="/proc/$inside/ns/net" "$@"
}

# fetch PACKAGE=VERSION... downloads Debian packages with the packages they
# depend on and unpacks all of them below $root. Nothing is installed.
fetch() {
	command -v apt-get >/dev/null || cannot "this needs apt-get"
	mkdir -p apt/archives/partial "$root"
	cp /var/lib/dpkg/status apt/status
	apt-get -qq -y -o "Dir::State::status=$work/apt/status" -o "Dir::Cache=$work/apt" \
		-o APT::Sandbox::User=root -o APT::Install-Recommends=false -o Debug::NoLocking=true \
		install --download-only "$@" >apt/log 2>&1 || {
		cat apt/log >&2
		cannot "apt-get has no $*; is this Debian 12, with current package lists?"
	}
	for deb in apt/archives/*.deb; do dpkg -x "$deb" "$root"; done
	PATH=$root/usr/sbin:$root/sbin:$root/usr/bin:$root/bin:$PATH
	LD_LIBRARY_PATH=$(find "$root" -name '*.so.*' -printf '%h\n' | sort -u | paste -sd: -)
	export PATH LD_LIBRARY_PATH
}

# gomod MODULE@VERSION... makes a Go module here that requires them and builds
# main.go, read from standard input, as ./main.
gomod() {
	command -v go >/dev/null || cannot "this needs Go"
	cat >main.go
	{
		go mod init finding && go get "$@" && go mod tidy && CGO_ENABLED=0 go build -o main .
	} >go.log 2>&1 || {
		cat go.log >&2
		cannot "could not build with $*"
	}
}

# same WHAT WANTED SEEN prints what was seen and remembers whether it differs.
same() {
	if [ "$2" = "$3" ]; then
		echo "$1: $3"
	else
		echo "$1: $3 -- CHANGED, was: $2"
		changed=yes
	fi
}

# finish tells whether the finding still holds.
finish() {
	if [ -n "$changed" ]; then
		echo "the behaviour has changed"
		exit 1
	fi
	echo "as described"
	exit 0
}
