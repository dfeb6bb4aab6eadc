#!/bin/sh
# Before the files go. Debian calls it with "remove" or "upgrade", RPM with the number of
# versions that stay. An upgrade leaves the daemon alone.
set -e

case "${1:-}" in
remove | 0) ;;
*) exit 0 ;;
esac

[ -d /run/systemd/system ] || exit 0
# A MASTER hands over before it ends.
systemctl disable --now holdfast.service || true
