package servers_test

import (
	"net"
	"net/netip"
	"strings"
)

// otherCA is the line of a check that trusts the CAs of the host, which did not make
// the certificate of a machine.
const otherCA = "tls = { server_name = \"" + serverName + "\" }\n"

// script starts a server by a shell script, which makes first what the server needs
// and then becomes the server. ADDRESS in it is the machine's IPv4 address.
func (m *machine) script(lines ...string) {
	m.t.Helper()
	m.start("/bin/sh", "-ec", m.addressed(strings.Join(lines, "\n")))
}

// connect opens a connection and waits for the first byte of the server.
func (m *machine) connect(port uint16) net.Conn {
	m.t.Helper()
	conn, err := net.Dial("tcp", netip.AddrPortFrom(m.address, port).String())
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		m.t.Fatalf("read what the server says first: %v", err)
	}
	return conn
}
