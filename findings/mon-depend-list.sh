#!/bin/sh
# mon 1.3.6: `depend` with two services, written as in mon's own example.cf, keeps
# every alert back.
#
# example.cf has `depend routers:ping serversbd2:ping`. The value is a Perl expression,
# in which each name becomes 1 or 0. "1 1" is a syntax error, and after an error no
# alert is sent, although both services are up. mon starts without a complaint. Its
# only word is a line of level notice in syslog at each failure. `&&` between the names
# is what the example means.
#
# Seen with mon 1.3.6-4 of Debian 12, each service failing three times or more while
# those it depends on are up:
#
#   mon 1.3.6-4
#   the example.cf of mon: depend routers:ping serversbd2:ping
#   depend servers:ping servers:ssh: no alert
#   depend servers:ping && servers:ssh: an alert
#   as described
. "$(dirname "$0")/lib.sh"
version=1.3.6-4
fetch "mon=$version"
. "$here/mon.sh"

program monitors/well.monitor <<'SH'
exit 0
SH
program monitors/dead.monitor <<'SH'
echo "$MON_SERVICE" >>failed
echo 127.0.0.1
exit 1
SH
program alerts/note.alert <<'SH'
echo "$MON_SERVICE" >>sent
SH
three_failures_each() {
	[ "$(grep -c list failed)" -ge 3 ] && [ "$(grep -c and failed)" -ge 3 ]
}
touch failed sent
mon_until three_failures_each <<'CONF'
watch servers
	service ping
		interval 1s
		monitor well.monitor
		period wd {Sun-Sat}
			alert note.alert
	service ssh
		interval 1s
		monitor well.monitor
		period wd {Sun-Sat}
			alert note.alert
	service list
		interval 1s
		monitor dead.monitor
		depend servers:ping servers:ssh
		period wd {Sun-Sat}
			alert note.alert
	service and
		interval 1s
		monitor dead.monitor
		depend servers:ping && servers:ssh
		period wd {Sun-Sat}
			alert note.alert
CONF
three_failures_each || cannot "mon did not run its monitors"
alerts() {
	if grep -q "$1" sent; then echo "an alert"; else echo "no alert"; fi
}
echo "mon $version"
same "the example.cf of mon" "depend routers:ping serversbd2:ping" \
	"$(zcat "$root/usr/share/doc/mon/examples/example.cf.gz" | grep -o 'depend .* .*')"
same "depend servers:ping servers:ssh" "no alert" "$(alerts list)"
same "depend servers:ping && servers:ssh" "an alert" "$(alerts and)"
finish
