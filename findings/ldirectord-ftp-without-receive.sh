#!/bin/sh
# ldirectord 4.12: the check of an ftp service without `receive` finds every server
# well, also one that refuses the connection.
#
# service=ftp is the default for port 21, and checktype=negotiate the default of the
# check. It logs in and fetches a file. Errors on the way count for nothing: only the
# content is compared with receive, and an empty receive matches even no content. With
# a receive, or with checktype=connect, the same server is found dead.
#
# Seen with ldirectord 1:4.12.0-2 of Debian 12, nothing listening on the port:
#
#   ldirectord 1:4.12.0-2
#   without receive: Enabled
#   with receive="hello": Disabled
#   as described
. "$(dirname "$0")/lib.sh"
version=1:4.12.0-2
fetch "ldirectord=$version"
PERL5LIB=$root/usr/share/perl5:$(echo "$root"/usr/lib/*/perl5/5.*)
export PERL5LIB

# ldirectord takes an ipvsadm in the current folder first.
cat >ipvsadm <<'SH'
#!/bin/sh
exit 0
SH
chmod +x ipvsadm
namespace director

# try LINE: what ldirectord says of the server last.
try() {
	cat >ldirectord.cf <<CONF
checkinterval=1
logfile="$work/log"
virtual=10.0.0.100:21
	real=127.0.0.1:21 masq
	request="welcome.msg"
	$1
CONF
	at director unshare --mount --pid --fork --kill-child sh -c 'mount -t tmpfs none /run && exec "$@"' sh \
		timeout -s KILL 5 perl "$root/usr/sbin/ldirectord" -d "$work/ldirectord.cf" start >output 2>&1 </dev/null || true
	grep -o 'Enabled\|Disabled' output | tail -n 1
}
echo "ldirectord $version"
same "without receive" Enabled "$(try 'checktimeout=2')"
same 'with receive="hello"' Disabled "$(try 'receive="hello"')"
finish
