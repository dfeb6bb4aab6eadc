#!/bin/sh
# ldirectord 4.12: a request that begins with a slash is ignored together with its
# expected answer. The check asks for "/" and takes any 2xx for healthy.
#
# In `real=192.168.0.11:80 masq 1 "/healthz", "ok"` both strings are dropped
# without a message; `"healthz", "ok"` works. Every path of a URL begins with a
# slash, so the wrong one looks right, and a server whose /healthz fails stays in
# the table.
#
# Seen with ldirectord 1:4.12.0-2 of Debian 12:
#
#   ldirectord 1:4.12.0-2
#   "/healthz", "ok" asks for: /
#   "healthz", "ok" asks for: /healthz
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
cat >server.py <<'PY'
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        body = b"ok\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
PY
namespace director
at director python3 server.py >asked &

# try REQUEST: what the server is asked for.
try() {
	cat >ldirectord.cf <<CONF
checkinterval=1
logfile="$work/log"
virtual=10.0.0.100:80
	real=127.0.0.1:8080 masq 1 "$1", "ok"
	service=http
	checktype=negotiate
	protocol=tcp
CONF
	: >asked
	at director unshare --mount --pid --fork --kill-child sh -c 'mount -t tmpfs none /run && exec "$@"' sh \
		timeout 5 perl "$root/usr/sbin/ldirectord" -d "$work/ldirectord.cf" start >output 2>&1 </dev/null || true
	tr -d '\000' <asked | sort -u | paste -sd' '
}
echo "ldirectord $version"
same '"/healthz", "ok" asks for' / "$(try /healthz)"
same '"healthz", "ok" asks for' /healthz "$(try healthz)"
finish
