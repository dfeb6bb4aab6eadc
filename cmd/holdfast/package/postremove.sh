#!/bin/sh
# After the files are gone. Debian calls it with "remove" and then "purge", RPM with the
# number of versions that stay.
set -e

if [ "${1:-}" = purge ]; then
	rm -rf /var/lib/holdfast /run/holdfast
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
