#!/bin/sh
# mon 1.3.6: with the Perl of Debian 12, imap.monitor and nntp.monitor find every
# server dead.
#
# Both call `&hostname;`, which passes on the arguments of their own function. The
# Sys::Hostname of Perl 5.36 refuses arguments; older ones dropped them. imap.monitor
# prints that in its detail, nntp.monitor prints nothing but the name of the host. An
# alert then says that a server is down which answers well, and it never ends. The
# monitors tcp.monitor and imapnew.monitor do not call it.
#
# Seen with mon 1.3.6-4 of Debian 12 and its Perl 5.36:
#
#   mon 1.3.6-4, Perl v5.36.0
#   an IMAP server that answers: imap.monitor names 127.0.0.1, status 1
#   a news server that answers: nntp.monitor names 127.0.0.1, status 1
#   the first by tcp.monitor: nobody, status 0
#   as described
. "$(dirname "$0")/lib.sh"
version=1.3.6-4
fetch "mon=$version"
monitors=$root/usr/lib/mon/mon.d

cat >server.py <<'PY'
import socketserver, sys, threading
greeting = {143: b"* OK IMAP4rev1 ready\r\n", 119: b"200 news ready\r\n"}
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        port = self.server.server_address[1]
        self.wfile.write(greeting[port])
        for line in self.rfile:
            if port == 143:
                self.wfile.write(b"* BYE\r\n" + line.split()[0] + b" OK LOGOUT completed\r\n")
            else:
                self.wfile.write(b"205 bye\r\n")
            return
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
for port in greeting:
    threading.Thread(target=Server(("127.0.0.1", port), Handler).serve_forever).start()
print("ready", flush=True)
PY
namespace director
at director python3 server.py >ready &
until [ -s ready ]; do sleep 0.1; done

# verdict MONITOR [OPTION...]: whom it names, and its exit status.
verdict() {
	monitor=$1
	shift
	status=0
	at director perl "$monitors/$monitor" "$@" 127.0.0.1 >out 2>&1 || status=$?
	named=$(sed 1q out | tr -d ' ')
	echo "${named:-nobody}, status $status"
}
echo "mon $version, Perl $(perl -e 'printf "%vd", $^V' | sed 's/^/v/')"
same 'an IMAP server that answers' 'imap.monitor names 127.0.0.1, status 1' "imap.monitor names $(verdict imap.monitor)"
same 'a news server that answers' 'nntp.monitor names 127.0.0.1, status 1' "nntp.monitor names $(verdict nntp.monitor)"
same 'the first by tcp.monitor' 'nobody, status 0' "$(verdict tcp.monitor -p 143)"
finish
