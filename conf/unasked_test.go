package conf

import (
	"slices"
	"testing"
)

func TestUnasked(t *testing.T) {
	for more, want := range map[string]bool{
		"forward = \"dr\"\n":  true,
		"forward = \"tun\"\n": true,
		"forward = \"nat\"\n": false,
		"forward = \"dr\"\ncheck = { type = \"tcp\", via = \"vip\" }\n": false,
		"forward = \"dr\"\ncheck = { type = \"none\" }\n":               false,
	} {
		c, err := Parse("x.toml", []byte("[[service]]\nname = \"web\"\naddress = \"10.0.0.9:80\"\nserver = [{ address = \"10.0.1.1\" }]\n"+more))
		if err != nil {
			t.Errorf("%q: %v", more, err)
			continue
		}
		if got := slices.Contains(c.Unasked(), "web"); got != want {
			t.Errorf("%q: %v, want %v", more, got, want)
		}
	}
}
