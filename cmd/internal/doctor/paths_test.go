package doctor

import "testing"

func TestPaths(t *testing.T) {
	const two = base + "\n[[vrrp.also]]\ninterface = \"path\"\n"
	card, other := linkFacts{Index: 2, Name: "card"}, linkFacts{Index: 3, Name: "other"}
	run(t, judgePaths, []lookCase[[]linkFacts]{
		{name: "one path"},
		{name: "missing", config: two, facts: []linkFacts{card}, want: []string{"error: the path path of"}},
		{name: "apart", config: two, facts: []linkFacts{{Index: 4, Name: "eth0"}, {Index: 5, Name: "path"}}},
		{name: "a VLAN of it", config: two, facts: []linkFacts{{Index: 4, Name: "eth0"}, {Index: 5, Name: "path", Parent: 4}},
			want: []string{"warning: the paths eth0 and path of outside both go by eth0"}},
		{name: "two VLANs", config: two, facts: []linkFacts{card, other, {Index: 4, Name: "eth0", Parent: 2}, {Index: 5, Name: "path", Parent: 2}},
			want: []string{"warning: the paths eth0 and path of outside both go by card"}},
		{name: "VLANs of two cards", config: two, facts: []linkFacts{card, other, {Index: 4, Name: "eth0", Parent: 2}, {Index: 5, Name: "path", Parent: 3}}},
		{name: "member of its bond", config: two, facts: []linkFacts{{Index: 4, Name: "eth0"}, {Index: 5, Name: "path", Master: 4}},
			want: []string{"warning: the paths eth0 and path of outside both go by path"}},
		{name: "a VLAN on a bond, and a VLAN on its member", config: two,
			facts: []linkFacts{{Index: 9, Name: "bond0"}, {Index: 2, Name: "card", Master: 9}, {Index: 4, Name: "eth0", Parent: 9}, {Index: 5, Name: "path", Parent: 2}},
			want:  []string{"warning: the paths eth0 and path of outside both go by card"}},
	})
}
