package crypthash_test

import (
	"os/exec"
	"strings"
	"testing"

	"holdfast/conf/crypthash"
)

// Hashes that Perl's crypt makes, which mon uses, fit their password alone.
func TestHashesOfPerl(t *testing.T) {
	for _, salt := range []string{"ab", "$1$abcdefgh$", "$5$abcdefgh$", "$6$abcdefgh$", "$6$rounds=2000$abcdefgh$"} {
		out, err := exec.Command("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", "secret word", salt).Output()
		hash := strings.TrimSpace(string(out))
		if err != nil || hash == "" {
			t.Skipf("no perl with crypt: %v", err)
		}
		if err := crypthash.Check(hash); err != nil {
			t.Errorf("%s: %v", salt, err)
		}
		if !crypthash.Matches(hash, "secret word") || crypthash.Matches(hash, "wrong word") {
			t.Errorf("%s: the wrong passwords fit", salt)
		}
	}
}

func TestNoHash(t *testing.T) {
	for _, text := range []string{"", "secret", "$y$j9T$abc$def", "*", "!", "$6$"} {
		if crypthash.Check(text) == nil {
			t.Errorf("%q is taken for a hash", text)
		}
		if crypthash.Matches(text, text) {
			t.Errorf("%q fits itself", text)
		}
	}
}
