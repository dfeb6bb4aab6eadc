package director

import (
	"strings"
	"testing"

	"holdfast/conf"
)

const twoUnits = `
[[vrrp]]
name = "outside"
interface = "eth0"
vrid = 51
addresses = ["10.0.0.100/24"]
[[vrrp]]
name = "inside"
interface = "eth1"
vrid = 52
addresses = ["192.168.0.254/24"]
[[vrrp]]
name = "alone"
interface = "eth2"
vrid = 53
addresses = ["10.9.0.1/24"]
[[group]]
name = "director"
members = ["outside", "inside"]
`

func parse(t *testing.T, text string) *conf.Config {
	t.Helper()
	c, err := conf.Parse("test.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func names(list []unit) string {
	var all []string
	for _, u := range list {
		var members []string
		for _, m := range u.members {
			members = append(members, m.Name)
		}
		all = append(all, u.name+"("+strings.Join(members, " ")+")")
	}
	return strings.Join(all, " ")
}

func TestUnits(t *testing.T) {
	if got, want := names(units(parse(t, twoUnits))), "director(outside inside) alone(alone)"; got != want {
		t.Errorf("units %q, want %q", got, want)
	}
}

func TestDiffUnits(t *testing.T) {
	for _, tc := range []struct {
		name             string
		from, to         string
		gone, come, stay string
	}{
		{"nothing", "", "", "", "", "director(outside inside) alone(alone)"},
		{"a priority stays", "vrid = 51", "vrid = 51\npriority = 90", "", "", "director(outside inside) alone(alone)"},
		{"an address stays", `"10.0.0.100/24"`, `"10.0.0.100/24", "10.0.0.101/24"`, "", "", "director(outside inside) alone(alone)"},
		{"another VRID", "vrid = 53", "vrid = 54", "alone(alone)", "alone(alone)", "director(outside inside)"},
		{"another interface in a group", `"eth1"`, `"eth7"`, "director(outside inside)", "director(outside inside)", "alone(alone)"},
		{"another MAC", "vrid = 53", "vrid = 53\nmac = \"private\"", "alone(alone)", "alone(alone)", "director(outside inside)"},
		{"a group's members in another order", `["outside", "inside"]`, `["inside", "outside"]`, "", "", "director(outside inside) alone(alone)"},
		{"a group dissolved", "[[group]]\nname = \"director\"\nmembers = [\"outside\", \"inside\"]\n", "",
			"director(outside inside)", "outside(outside) inside(inside)", "alone(alone)"},
		{"a group renamed", `name = "director"`, `name = "pair"`, "director(outside inside)", "pair(outside inside)", "alone(alone)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := diffUnits(units(parse(t, twoUnits)), units(parse(t, strings.Replace(twoUnits, tc.from, tc.to, 1))))
			var stay []unit
			for _, p := range d.stay {
				stay = append(stay, p.new)
			}
			if got := names(d.gone); got != tc.gone {
				t.Errorf("gone %q, want %q", got, tc.gone)
			}
			if got := names(d.come); got != tc.come {
				t.Errorf("come %q, want %q", got, tc.come)
			}
			if got := names(stay); got != tc.stay {
				t.Errorf("stay %q, want %q", got, tc.stay)
			}
		})
	}
}
