package sidebyside

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"holdfast/integration/lab"
)

// worldAddresses are those of every host: what the samples take for granted.
var worldAddresses = []string{
	"eth0 192.168.200.5/24", "eth1 192.168.201.5/24", "eth1 192.168.200.106/24", "eth2 192.168.100.1/24", "eth3 192.168.0.5/24",
}

// interfaces are the names of devices in a configuration.
var interfaces = regexp.MustCompile(`\b(?:eth|ens)\d[\w.]*`)

// devices returns the devices that the configuration and the addresses need.
func (c Case) devices(t *testing.T) []string {
	names := interfaces.FindAllString(c.config(t)+strings.Join(c.Addresses, "\n")+"\neth0 eth1", -1)
	slices.Sort(names)
	return slices.Compact(names)
}

// A side is a host with one of the two programs.
type side struct {
	*lab.Host
	dir      string // with its programs and the record of their calls
	captures map[string]*lab.Capture
	process  *lab.Process
	servers  map[string]func() // ends a stand-in
}

// newSide makes the host. Nobody else is on the wires of its devices, so both hosts
// may have the same addresses.
func newSide(t *testing.T, l *lab.Lab, c Case, name string) *side {
	t.Helper()
	s := &side{Host: l.Host(name), dir: filepath.Join(l.Dir(), name), captures: map[string]*lab.Capture{}, servers: map[string]func(){}}
	given := slices.Concat(worldAddresses, c.Addresses)
	for i, device := range c.devices(t) {
		s.Attach(device, lab.MAC{0x02, 0, 0, 0, 1, byte(i)})
		s.captures[device] = s.CaptureOn(device)
		bare := true
		for _, words := range given {
			if address, here := strings.CutPrefix(words, device+" "); here {
				s.Address(device, address)
				bare = false
			}
		}
		if bare { // an instance of keepalived needs an address of its own
			s.Address(device, fmt.Sprintf("10.99.%d.5/24", i))
		}
	}
	for _, server := range c.Servers {
		s.serve(t, server)
	}
	return s
}
