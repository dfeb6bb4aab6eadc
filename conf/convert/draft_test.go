package convert

import "testing"

// What holdfast refuses is told in lines of the source, also where it was first.
func TestRefusedInSource(t *testing.T) {
	at := func(line int) Position { return Position{"old.conf", line} }
	var d Draft
	for i, name := range []string{"a", "b"} {
		r := d.List("vrrp", at(10*i+1))
		r.Set(at(10*i+1), "name", name)
		r.Set(at(10*i+2), "interface", "eth0")
		r.Set(at(10*i+3), "vrid", 51+i)
		r.Set(at(10*i+4), "addresses", []string{"10.0.0.100/24"})
	}
	var report Report
	if d.Finish(&report) == nil {
		t.Fatal("nothing is left")
	}
	const want = `old.conf:11: not translated: holdfast refuses it: vrrp.b needs the key addresses, which was refused
old.conf:14: not translated: holdfast refuses it: vrrp.b.addresses: 10.0.0.100 is already used at old.conf:4
0 directives read: 0 notes, 2 not translated
`
	if got := report.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
