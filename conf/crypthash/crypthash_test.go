package crypthash_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"holdfast/conf/crypthash"
	"holdfast/integration/tools"
)

// Hashes that Perl's crypt makes, which mon uses, fit their password alone.
func TestHashesOfPerl(t *testing.T) {
	for _, salt := range []string{"ab", "$1$abcdefgh$", "$5$abcdefgh$", "$6$abcdefgh$", "$6$rounds=2000$abcdefgh$"} {
		out, err := exec.Command("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", "secret word", salt).Output()
		hash := strings.TrimSpace(string(out))
		if err != nil || hash == "" {
			tools.Without(t, "netns", fmt.Sprintf("no perl with crypt: %v", err)) // whoever has namespaces has mon, and its perl
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
