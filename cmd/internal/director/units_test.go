package director

import (
	"slices"
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

func parse(t testing.TB, text string) *conf.Config {
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
	const noGroup = "[[group]]\nname = \"director\"\nmembers = [\"outside\", \"inside\"]\n"
	fourth := "[[vrrp]]\nname = \"fourth\"\ninterface = \"eth0\"\nvrid = 54\naddresses = [\"10.0.0.104/24\"]\n"
	const all = "director(outside inside) alone(alone)"
	for _, tc := range []struct {
		name                          string
		from, to                      string
		gone, leave, come, join, stay string // what stays in other units than before has a *
	}{
		{name: "nothing", stay: all},
		{name: "a priority stays", from: "vrid = 51", to: "vrid = 51\npriority = 90", stay: all},
		{name: "an address stays", from: `"10.0.0.100/24"`, to: `"10.0.0.100/24", "10.0.0.101/24"`, stay: all},
		{name: "another VRID", from: "vrid = 53", to: "vrid = 54", gone: "alone(alone)", come: "alone(alone)", stay: "director(outside inside)"},
		{name: "another interface in a group", from: `"eth1"`, to: `"eth7"`,
			gone: "director(outside inside)", come: "director(outside inside)", stay: "alone(alone)"},
		{name: "another MAC", from: "vrid = 53", to: "vrid = 53\nmac = \"private\"",
			gone: "alone(alone)", come: "alone(alone)", stay: "director(outside inside)"},
		{name: "a group's members in another order", from: `["outside", "inside"]`, to: `["inside", "outside"]`, stay: all},
		{name: "a group dissolved", from: noGroup, stay: "outside*(outside) inside*(inside) alone(alone)"},
		{name: "a group renamed", from: `name = "director"`, to: `name = "pair"`, stay: "pair*(outside inside) alone(alone)"},
		{name: "a lone one joins", from: `["outside", "inside"]`, to: `["alone", "outside", "inside"]`, stay: "director*(outside inside alone)"},
		{name: "a member becomes lone", from: `["outside", "inside"]`, to: `["inside"]`,
			stay: "director*(inside) outside*(outside) alone(alone)"},
		{name: "a new one joins", from: noGroup, to: fourth + strings.Replace(noGroup, `["`, `["fourth", "`, 1),
			join: "director(fourth)", stay: all},
		{name: "a member is removed", from: "[[vrrp]]\nname = \"outside\"\ninterface = \"eth0\"\nvrid = 51\naddresses = [\"10.0.0.100/24\"]\n",
			leave: "outside", stay: "director*(inside) alone(alone)"},
		{name: "a lone one takes the place of another", from: noGroup, to: strings.Replace(noGroup, `"inside"`, `"alone"`, 1),
			stay: "director*(outside alone) inside*(inside)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			text := strings.Replace(twoUnits, tc.from, tc.to, 1)
			if tc.leave != "" {
				text = strings.Replace(text, `["outside", `, `[`, 1)
			}
			d := diffUnits(units(parse(t, twoUnits)), units(parse(t, text)))
			var stay, join []unit
			for _, p := range d.stay {
				u := p.new
				if p.regrouped() {
					u.name += "*"
				}
				stay = append(stay, u)
				if len(p.join) > 0 {
					join = append(join, p.joiners())
				}
			}
			for what, pair := range map[string][2]string{
				"gone": {names(d.gone), tc.gone}, "leave": {strings.Join(memberNames(d.leave), " "), tc.leave},
				"come": {names(d.come), tc.come}, "join": {names(join), tc.join}, "stay": {names(stay), tc.stay},
			} {
				if pair[0] != pair[1] {
					t.Errorf("%s %q, want %q", what, pair[0], pair[1])
				}
			}
		})
	}
}

// No router joins a new unit before the old unit of that name has stopped. Another
// director serves the addresses meanwhile.
func TestDiffUnitsWaitsForNames(t *testing.T) {
	old := units(parse(t, twoUnits))
	joined := strings.Replace(twoUnits, `["outside", "inside"]`, `["outside", "inside", "alone"]`, 1)
	replaced := strings.Replace(joined, `"eth1"`, `"eth7"`, 1)
	if d := diffUnits(old, units(parse(t, replaced))); names(d.gone) != "director(outside inside) alone(alone)" || names(d.come) != "director(outside inside alone)" {
		t.Errorf("gone %q, come %q", names(d.gone), names(d.come))
	}
	if d := diffUnits(old[1:], units(parse(t, joined)), "director"); names(d.gone) != "alone(alone)" || names(d.come) != "director(outside inside alone)" {
		t.Errorf("gone %q, come %q", names(d.gone), names(d.come))
	}
}

// unitNames are the names of units, in their order.
func TestUnitNames(t *testing.T) {
	c := parse(t, twoUnits)
	var want []string
	for _, u := range units(c) {
		want = append(want, u.name)
	}
	if got := unitNames(c); !slices.Equal(got, want) || len(got) != 2 {
		t.Errorf("%v, want %v", got, want)
	}
}
