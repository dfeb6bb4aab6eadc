package control

import "testing"

// Without TLS a server answers to addresses, to names that nobody can register, and to
// the names that it is given.
func TestAdmitsHost(t *testing.T) {
	hosts := []string{"lvs1.example.com"}
	for host, want := range map[string]bool{
		"192.0.2.1:9650":          true,
		"192.0.2.1":               true,
		"[2001:db8::1]:9650":      true,
		"[2001:db8::1]":           true,
		"localhost:9650":          true,
		"lvs2:9650":               true,
		"":                        true, // HTTP/1.0
		"lvs1.example.com:9650":   true,
		"LVS1.example.com.:9650":  true,
		"lvs1.example.com.evil.x": false,
		"evil.example.com:9650":   false,
		"192.0.2.1.evil.example":  false,
	} {
		if got := admitsHost(hosts, host); got != want {
			t.Errorf("%q: %v, want %v", host, got, want)
		}
	}
	if !admitsHost([]string{"*"}, "any.example.com") {
		t.Error("* does not admit every name")
	}
}
