//go:build dbus

package dbus

import (
	"encoding/xml"
	"slices"
	"testing"
)

func TestPath(t *testing.T) {
	for _, c := range []struct {
		in   Instance
		want string
	}{
		{Instance{Interface: "eth0", VRID: 51}, "/org/keepalived/Vrrp1/Instance/eth0/51/IPv4"},
		{Instance{Interface: "bond0.100", VRID: 255, IPv6: true}, "/org/keepalived/Vrrp1/Instance/bond0_100/255/IPv6"},
		{Instance{Interface: "br-lan@ä", VRID: 1}, "/org/keepalived/Vrrp1/Instance/br_lan__/1/IPv4"},
	} {
		if got := c.in.path(); got != c.want {
			t.Errorf("%+v is at %s, want %s", c.in, got, c.want)
		}
	}
}

func TestTree(t *testing.T) {
	tree := newTree()
	tree.add(Instance{Name: "a", Interface: "eth0", VRID: 51})
	tree.add(Instance{Name: "b", Interface: "eth0", VRID: 51, IPv6: true})
	tree.add(Instance{Name: "c", Interface: "eth.1", VRID: 7})
	if has := tree.add(Instance{Name: "d", Interface: "eth-1", VRID: 7}); has == nil || has.Name != "c" {
		t.Errorf("two instances at one path: %v", has)
	}
	for path, want := range map[string][]string{
		"/":                                {"org"},
		"/org/keepalived/Vrrp1":            {"Instance", "Vrrp"},
		"/org/keepalived/Vrrp1/Vrrp":       nil,
		root + "/Instance":                 {"eth0", "eth_1"},
		root + "/Instance/eth0/51":         {"IPv4", "IPv6"},
		root + "/Instance/eth_1/7/IPv4":    nil,
		root + "/Instance/eth0/51/IPv6":    nil,
		"/org/keepalived/Vrrp1/Instance/e": {"none"},
	} {
		got, exists := tree.below(path)
		if !exists {
			got = []string{"none"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("below %s: %v, want %v", path, got, want)
		}
	}
	tree.remove("d") // was never there
	tree.remove("c")
	if _, exists := tree.below(root + "/Instance/eth_1"); exists {
		t.Error("what was removed is still there")
	}
}

// Introspection returns XML.
func TestDescriptions(t *testing.T) {
	for _, own := range []string{"", routerXML, memberXML} {
		var node struct {
			Nodes []struct {
				Name string `xml:"name,attr"`
			} `xml:"node"`
		}
		if err := xml.Unmarshal([]byte(describe(own, []string{"a", "b"})), &node); err != nil || len(node.Nodes) != 2 {
			t.Errorf("%v, %+v in\n%s", err, node, describe(own, []string{"a", "b"}))
		}
	}
}
