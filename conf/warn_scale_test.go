package conf

import (
	"fmt"
	"strings"
	"testing"
)

// thousand is a configuration with a thousand instances in one group, and a
// tracker for each of them.
func thousand() []byte {
	var b strings.Builder
	var members []string
	for i := range 1000 {
		name := fmt.Sprintf("i%d", i)
		members = append(members, `"`+name+`"`)
		fmt.Fprintf(&b, "[[vrrp]]\nname = %q\ninterface = \"eth%d\"\nvrid = %d\naddresses = [\"10.%d.%d.1/24\"]\ntrack = [{ name = \"gw\", weight = -10 }]\n",
			name, i/200, 1+i%200, i/200, i%200)
	}
	b.WriteString("[[track]]\nname = \"gw\"\ntype = \"interface\"\ninterface = \"eth9\"\n")
	fmt.Fprintf(&b, "[[group]]\nname = \"g\"\nmembers = [%s]\n", strings.Join(members, ", "))
	return []byte(b.String())
}

func BenchmarkParseThousand(b *testing.B) {
	src := thousand()
	for b.Loop() {
		if _, err := Parse("a.toml", src); err != nil {
			b.Fatal(err)
		}
	}
}
