package servers_test

import "testing"

// chronyConfig is a server that takes its own clock for the time, at a stratum.
const chronyConfig = `
local stratum 3
allow
bindaddress ADDRESS
bindaddress ADDRESS6
cmdport 0
bindcmdaddress /
pidfile /run/chronyd.pid
driftfile /dev/null
`

func TestChrony(t *testing.T) {
	m := newMachine(t)
	m.users("_chrony")
	m.file("/etc/chrony/chrony.conf", chronyConfig, 0o644)
	m.start("chronyd", "-d", "-x", "-u", "root")
	m.prove(123,
		check{name: "time", keys: "type = \"ntp\"\n"},
		check{name: "time over IPv6", keys: "type = \"ntp\"\n", v6: true},
		check{name: "near", keys: "type = \"ntp\"\nmax_stratum = 3\nmax_offset = \"1s\"\n"},
		check{name: "too far from a clock", keys: "type = \"ntp\"\nmax_stratum = 2\n", reason: "stratum 3, want at most 2"},
	)
}

// A server without a source of time answers that it is not synchronized.
func TestChronyNotSynchronized(t *testing.T) {
	m := newMachine(t)
	m.users("_chrony")
	m.file("/etc/chrony/chrony.conf", "allow\nbindaddress ADDRESS\ncmdport 0\nbindcmdaddress /\npidfile /run/chronyd.pid\n", 0o644)
	m.start("chronyd", "-d", "-x", "-u", "root")
	m.prove(123, check{name: "time", keys: "type = \"ntp\"\n", reason: "the server is not synchronized (leap indicator 3, stratum 0)"})
}
