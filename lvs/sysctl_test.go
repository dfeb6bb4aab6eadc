package lvs_test

import (
	"testing"

	"holdfast/lvs"
)

func TestParseSysctl(t *testing.T) {
	sysctls := map[string]lvs.Sysctl{}
	for _, s := range lvs.Sysctls() {
		sysctls[s.Name] = s
	}
	for _, tt := range []struct{ name, text, want, err string }{
		{"conntrack", "1\n", "1", ""},
		{"conntrack", "2", "", `must be a number from 0 to 1, not 2`},
		{"conntrack", "", "", `must be a number from 0 to 1, not ""`},
		{"conntrack", "on", "", `must be a number from 0 to 1, not "on"`},
		{"conn_lfactor", "-4", "-4", ""},
		{"sync_threshold", "3\t50\n", "3 50", ""},
		{"sync_threshold", "1 0", "1 0", ""},
		{"sync_threshold", "50 50", "", `must have a first number below the second, not "50 50"`},
		{"sync_threshold", "3", "", `must be two numbers from 0 to 1048576, not 3`},
	} {
		got, err := sysctls[tt.name].Parse(tt.text)
		text := ""
		if err != nil {
			text = err.Error()
		}
		if got != tt.want || text != tt.err {
			t.Errorf("%s = %q: got %q, %q; want %q, %q", tt.name, tt.text, got, text, tt.want, tt.err)
		}
	}
}
