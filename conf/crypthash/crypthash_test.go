package crypthash_test

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"holdfast/conf/crypthash"
	"holdfast/integration/tools"
)

// Hashes that Perl's crypt makes, which mon uses, fit their password alone.
func TestHashesOfPerl(t *testing.T) {
	for _, salt := range []string{"ab", "$1$abcdefgh$", "$5$abcdefgh$", "$6$abcdefgh$", "$6$rounds=2000$abcdefgh$", "$y$j9T$abcdefgh$", "$y$j75$gI0WtrHPGzLM2mdvzQFj0.$"} {
		hash := perlCrypt(t, "secret word", salt)
		if err := crypthash.Check(hash); err != nil {
			t.Errorf("%s: %v", salt, err)
		}
		if !crypthash.Matches(hash, "secret word") || crypthash.Matches(hash, "wrong word") {
			t.Errorf("%s: the wrong passwords fit", salt)
		}
	}
}

func TestNoHash(t *testing.T) {
	for _, text := range []string{"", "secret", "$y$j9T$abc$def", "$y$", "$y$j9T$", "$y$j9T$a!cdefgh$" + strings.Repeat("a", 43), "*", "!", "$6$"} {
		if crypthash.Check(text) == nil {
			t.Errorf("%q is taken for a hash", text)
		}
		if crypthash.Matches(text, text) {
			t.Errorf("%q fits itself", text)
		}
	}
}

// A hash says how long it takes to compare a password with it. Check refuses one that
// takes long, without doing the work.
func TestRounds(t *testing.T) {
	sha, blowfish := strings.Repeat("a", 86), strings.Repeat("a", 31)
	for hash, good := range map[string]bool{
		"$6$rounds=100000$salt$" + sha:                  true,
		"$6$rounds=100001$salt$" + sha:                  false,
		"$6$rounds=999999999$salt$" + sha:               false,
		"$6$rounds=999$salt$" + sha:                     false,
		"$5$rounds=999999999$salt$" + sha[:43]:          false,
		"$2b$10$" + strings.Repeat("a", 22) + blowfish:  true,
		"$2b$11$" + strings.Repeat("a", 22) + blowfish:  false,
		"$2b$31$" + strings.Repeat("a", 22) + blowfish:  false,
		"_J9..CCCC" + sha[:11]:                          true,
		"_zzzzCCCC" + sha[:11]:                          false,
		"$6$rounds=5000$a salt that is too long$" + sha: false,
		"$6$rounds=5000$sa:t$" + sha:                    false,
		"$1$abcdefgh$" + sha[:22]:                       true,
		"$y$j9T$abcdefgh$" + sha[:43]:                   true,
		"$y$jAT$abcdefgh$" + sha[:43]:                   false,
		"$y$jFT$abcdefgh$" + sha[:43]:                   false,
		"$y$j9z$abcdefgh$" + sha[:43]:                   false,
		"$1$abcdefghi$" + sha[:22]:                      false,
	} {
		began := time.Now()
		if err := crypthash.Check(hash); (err == nil) != good {
			t.Errorf("%s: %v", hash, err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("%s: took %v", hash, took)
		}
	}
}

// A password of any length comes over the network. One that is too long fits no hash, and
// the longest ones are compared.
func TestLongPasswords(t *testing.T) {
	for _, salt := range []string{"ab", "$1$abcdefgh$", "$5$abcdefgh$", "$6$abcdefgh$", "$y$j75$abcdefgh$"} {
		longest := strings.Repeat("x", crypthash.MaxPassword(salt))
		if hash := perlCrypt(t, longest, salt); !crypthash.Matches(hash, longest) {
			t.Errorf("%s: %d bytes do not fit", salt, len(longest))
		}
	}
	// DES uses 8 bytes, so that only the bound can refuse this one.
	hash := perlCrypt(t, "x", "ab")
	if longest := "x" + strings.Repeat("\x00", crypthash.MaxPassword(hash)); crypthash.Matches(hash, longest) {
		t.Errorf("%d bytes fit", len(longest))
	}
}

// perlCrypt returns the hash that Perl's crypt makes of a password.
func perlCrypt(t *testing.T, password, salt string) string {
	t.Helper()
	out, err := exec.Command("perl", "-e", "print crypt($ARGV[0], $ARGV[1])", password, salt).Output()
	hash := strings.TrimSpace(string(out))
	if err != nil || hash == "" {
		tools.Without(t, "netns", fmt.Sprintf("no perl with crypt: %v", err)) // whoever has namespaces has mon, and its perl
	}
	return hash
}
