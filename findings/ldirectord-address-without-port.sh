#!/bin/sh
# ldirectord 4.12: `virtual=10.0.0.100` without a port is a service for the firewall
# mark 10. There is no message.
#
# The documented forms are ADDRESS:PORT and MARK. Of a value that is neither,
# ldirectord takes the digits at its beginning. The table then has a service that no
# packet reaches, and a log that looks well. A port was forgotten, or an IPVS service
# for all ports was meant, which is ADDRESS:0.
#
# Seen with ldirectord 1:4.12.0-2 of Debian 12, and what it calls ipvsadm with:
#
#   ldirectord 1:4.12.0-2
#   virtual=10.0.0.100:80: -A -t 10.0.0.100:80 -s wrr
#   virtual=10.0.0.100: -A -f 10 -s wrr
#   as described
. "$(dirname "$0")/lib.sh"
version=1:4.12.0-2
fetch "ldirectord=$version"
PERL5LIB=$root/usr/share/perl5:$(echo "$root"/usr/lib/*/perl5/5.*)
export PERL5LIB

# ldirectord takes an ipvsadm in the current folder first.
cat >ipvsadm <<SH
#!/bin/sh
echo "\$*" >>$work/asked
SH
chmod +x ipvsadm
namespace director

# try VIRTUAL: the ipvsadm call that adds the service.
try() {
	cat >ldirectord.cf <<CONF
checkinterval=1
logfile="$work/log"
virtual=$1
	real=127.0.0.1:8080 masq
	checktype=on
CONF
	: >asked
	at director unshare --mount --pid --fork --kill-child sh -c 'mount -t tmpfs none /run && exec "$@"' sh \
		timeout 5 perl "$root/usr/sbin/ldirectord" -d "$work/ldirectord.cf" start >output 2>&1 </dev/null || true
	grep -e '^-A' asked | sed 's/ *$//' | sort -u | paste -sd' '
}
echo "ldirectord $version"
same "virtual=10.0.0.100:80" "-A -t 10.0.0.100:80 -s wrr" "$(try 10.0.0.100:80)"
same "virtual=10.0.0.100" "-A -f 10 -s wrr" "$(try 10.0.0.100)"
finish
