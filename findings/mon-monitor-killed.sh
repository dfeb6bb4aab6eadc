#!/bin/sh
# mon 1.3.6: a monitor that a signal ends counts as a success.
#
# mon takes the exit status from the upper byte of what waitpid tells. That byte is 0
# of a process that a signal ended. The kernel's OOM killer or an operator ends a
# monitor, and mon finds all its hosts well, whatever the monitor has printed. A
# service that was down comes up by it, and the upalert is sent.
#
# Seen with mon 1.3.6-4 of Debian 12. The monitor finds its host dead at every run. At
# the first run it exits with 1, and from the second on it ends itself by SIGTERM:
#
#   mon 1.3.6-4
#   after exit status 1: failure
#   after SIGTERM: up
#   mon's own words: exited with [0]
#   as described
. "$(dirname "$0")/lib.sh"
version=1.3.6-4
fetch "mon=$version"
. "$here/mon.sh"

program monitors/dead.monitor <<'SH'
echo 127.0.0.1
if [ -e second ]; then kill -TERM $$; fi
touch second
exit 1
SH
touch sent
program alerts/note.alert <<'SH'
echo "$MON_ALERTTYPE" >>sent
SH
mon_until 'grep -q up sent' <<'CONF'
watch servers
	service http
		interval 1s
		monitor dead.monitor
		period wd {Sun-Sat}
			alert note.alert
			upalert note.alert
CONF
echo "mon $version"
same "after exit status 1" failure "$(sed -n 1p sent)"
same "after SIGTERM" up "$(sed -n 2p sent)"
same "mon's own words" "exited with [0]" "$(grep -o 'exited with .*' told | sed -n 2p)"
finish
