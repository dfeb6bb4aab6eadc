package integration_test

import (
	"testing"

	"holdfast/integration/lab"
)

// A bridge works as a parent: frames for the virtual MAC pass it, and a BACKUP sends
// none through it.
func TestBridgeParent(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]string{"plain": "", "egress": "egress = true\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
				h.Plug(s, "eth0")
				h.Run("ip", "link", "add", "br0", "type", "bridge")
				h.Run("ip", "link", "set", "eth0", "master", "br0")
				h.Run("ip", "link", "set", "br0", "up")
				for _, a := range addresses {
					h.Address("br0", a)
				}
			})
			d.Start(t, "br0", options)
			d.Works(t)
		})
	}
}

// A macvlan works as a parent: the kernel puts ours beside it, above the same
// interface.
func TestMacvlanParent(t *testing.T) {
	t.Parallel()
	d := lab.NewDuo(t, func(h *lab.Host, s *lab.Switch, addresses ...string) {
		h.Plug(s, "eth0")
		h.Run("ip", "link", "add", "link", "eth0", "name", "mv0", "type", "macvlan", "mode", "bridge")
		h.Run("ip", "link", "set", "mv0", "up")
		for _, a := range addresses {
			h.Address("mv0", a)
		}
	})
	d.Start(t, "mv0", "")
	d.Works(t)
}
