#!/bin/sh
# Run a command, and another beside it that gets only the processor time which the first
# leaves. The output of the other comes at the end. Fails if one of the two fails.
#
# usage: beside.sh OTHER COMMAND [ARGUMENT...]     OTHER: a line for the shell
set -eu

other=${1:?usage: beside.sh OTHER COMMAND [ARGUMENT...]}
shift
log=$(mktemp)
# A session of its own, because the kernel may weigh sessions before processes: sched(7), autogroup.
# shellcheck disable=SC2016
setsid sh -c '
	renice -n 19 -p $$ >/dev/null
	{ echo 19 >/proc/self/autogroup; } 2>/dev/null || :
	exec chrt --idle 0 sh -c "$1"' sh "$other" >"$log" 2>&1 </dev/null &
beside=$!
trap 'kill -- "-$beside" 2>/dev/null || :; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

status=0
"$@" || status=$?
echo "beside it: $other"
wait "$beside" || status=$?
cat "$log"
exit "$status"
