// Package crypthash compares passwords with hashes of crypt(3), as /etc/shadow and mon's
// auth.cf have them: DES, MD5, SHA-256, SHA-512 and bcrypt, but not yescrypt.
package crypthash

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/sergeymakinen/go-crypt"

	// The kinds of hashes.
	_ "github.com/sergeymakinen/go-crypt/bcrypt"
	_ "github.com/sergeymakinen/go-crypt/des"
	_ "github.com/sergeymakinen/go-crypt/desext"
	_ "github.com/sergeymakinen/go-crypt/md5"
	_ "github.com/sergeymakinen/go-crypt/sha256"
	_ "github.com/sergeymakinen/go-crypt/sha512"
)

// Check says why a text is no hash that passwords can be compared with.
func Check(hash string) error {
	if err := crypt.Check(hash, ""); err != nil && !errors.Is(err, crypt.ErrPasswordMismatch) {
		return fmt.Errorf("must have a hash of crypt(3), such as \"openssl passwd -6\" prints: %w", err)
	}
	return nil
}

// longest is the length of the longest password that glibc and libxcrypt take, in bytes.
// Without a bound a hash of what the network sends could take seconds.
const longest = 511

// limits are the lengths of the longest passwords by the prefix of their hash, in bytes,
// that go-crypt 1.0 supports.
var limits = map[string]int{"$5$": 31, "$6$": 63}

// MaxPassword returns how many bytes a password with the hash has at most. Longer ones
// match nothing.
func MaxPassword(hash string) int {
	return cmp.Or(limits[hash[:min(len(hash), 3)]], longest)
}

// Matches reports whether a password has the hash. It takes milliseconds. DES uses the
// first 8 bytes of a password. The network sends passwords, so a fault of the library is
// no match instead of the end of the daemon.
func Matches(hash, password string) (fits bool) {
	defer func() { fits = recover() == nil && fits }()
	if len(password) > MaxPassword(hash) {
		return false
	}
	if len(hash) == 13 && hash[0] != '$' && hash[0] != '_' {
		password = password[:min(len(password), 8)]
	}
	return crypt.Check(hash, password) == nil
}
