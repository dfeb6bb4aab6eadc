# Sourced after lib.sh by the scripts about mon: runs it with monitors and alerts of
# the script. mon is fetched before.
#
# shellcheck shell=sh disable=SC2154

mkdir monitors alerts state log
PERL5LIB=$root/usr/share/perl5:$(echo "$root"/usr/lib/*/perl5/5.*)
export PERL5LIB

# program FILE makes a program of the shell commands on standard input, which run
# in the folder of the script.
program() {
	{
		printf '#!/bin/sh\ncd "%s"\n' "$work"
		cat
	} >"$1"
	chmod +x "$1"
}

# mon_until CONDITION runs mon with the configuration on standard input until the
# command CONDITION succeeds, or for half a minute. What mon tells is in the file "told".
mon_until() {
	{
		cat <<CONF
mondir = $work/monitors
alertdir = $work/alerts
statedir = $work/state
logdir = $work/log
randstart = 0s

hostgroup servers 127.0.0.1

CONF
		cat
	} >mon.cf
	namespace director
	at director perl "$root/usr/sbin/mon" -d -d -c "$work/mon.cf" -A "$root/etc/mon/auth.cf" -P "$work/mon.pid" -p 2583 >told 2>&1 &
	tries=60
	until eval "$1" || [ "$tries" = 0 ]; do
		tries=$((tries - 1))
		sleep 0.5
	done
}
