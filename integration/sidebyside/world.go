package sidebyside

import (
	"path/filepath"
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// worldAddresses are those of every host: what the samples take for granted.
var worldAddresses = []string{
	"eth0 192.168.200.5/24", "eth1 192.168.201.5/24", "eth1 192.168.200.6/24", "eth2 192.168.100.1/24", "eth3 192.168.0.5/24",
}

// A side is a host with one of the two programs.
type side struct {
	*lab.Host
	dir      string // with its programs and the record of their calls
	captures map[string]*lab.Capture
	process  *lab.Process
	servers  map[string]func() // ends a stand-in
}

// newSide makes the host. Nobody else is on the wires of its devices.
func newSide(t *testing.T, l *lab.Lab, c Case, name string) *side {
	t.Helper()
	s := &side{Host: l.Host(name), dir: filepath.Join(l.Dir(), name), captures: map[string]*lab.Capture{}, servers: map[string]func(){}}
	devices := append([]string{"eth0", "eth1", "eth2", "eth3"}, c.Devices...)
	for _, device := range devices {
		if parent, id, vlan := strings.Cut(device, "."); vlan {
			s.Run("ip", "link", "add", "link", parent, "name", device, "type", "vlan", "id", id)
		} else {
			s.Attach(device)
		}
		s.Run("ip", "link", "set", device, "up")
		s.captures[device] = s.CaptureOn(device)
	}
	for _, words := range append(worldAddresses, c.Addresses...) {
		device, address, _ := strings.Cut(words, " ")
		s.Address(device, address)
	}
	for _, server := range c.Servers {
		s.serve(t, server)
	}
	return s
}
