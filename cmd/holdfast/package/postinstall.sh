#!/bin/sh
# After the files of the package are there. Debian calls it with "configure", RPM with the
# number of versions that are installed now.
set -e

case "${1:-}" in
abort-*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers holdfast.conf
	systemd-tmpfiles --create holdfast.conf || true
else
	for user in holdfast holdfast-script; do
		getent passwd "$user" >/dev/null || useradd --system --user-group --no-create-home --shell /usr/sbin/nologin "$user"
	done
fi

[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload || true
systemctl is-active --quiet holdfast.service || exit 0
# The daemon goes on as MASTER or BACKUP with the new binary. A restart would hand over.
holdfast upgrade || echo "holdfast: the former version runs on, because of the error above. Then: holdfast upgrade" >&2
