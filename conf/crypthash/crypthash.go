// Package crypthash compares passwords with hashes of crypt(3), as /etc/shadow and mon's
// auth.cf have them: DES, MD5, SHA-256, SHA-512, bcrypt and yescrypt.
package crypthash

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/openwall/yescrypt-go"
	"github.com/sergeymakinen/go-crypt"
	"github.com/sergeymakinen/go-crypt/bcrypt"
	"github.com/sergeymakinen/go-crypt/des"
	"github.com/sergeymakinen/go-crypt/desext"
	"github.com/sergeymakinen/go-crypt/md5"
	"github.com/sergeymakinen/go-crypt/sha256"
	"github.com/sergeymakinen/go-crypt/sha512"
)

// A kind is a kind of hash.
type kind struct {
	prefix string
	// most is how many rounds a hash may have; 0: the kind has a fixed number. So a
	// comparison takes a tenth of a second at most: whoever can send a trap makes the
	// daemon compare.
	most uint32
	// rounds returns how many a hash has. Its error says what is wrong with the hash.
	rounds func(hash string) (uint32, error)
}

// kinds are tried in order. DES has no prefix, so it is the last one.
var kinds = []kind{
	{sha512.Prefix, 100_000, sha512Rounds},
	{sha256.Prefix, 100_000, sha256Rounds},
	{md5.Prefix, 0, md5Rounds},
	{bcrypt.Prefix2, 1 << 10, bcryptRounds},
	{bcrypt.Prefix2a, 1 << 10, bcryptRounds},
	{bcrypt.Prefix2b, 1 << 10, bcryptRounds},
	{yescryptPrefix, yescryptMost, yescryptRounds},
	{desext.Prefix, 100_000, desextRounds},
	{des.Prefix, 0, desRounds},
}

// Check says why a text is no hash that passwords can be compared with. It takes a
// millisecond, however many rounds the hash has.
func Check(hash string) error {
	rounds, most, err := look(hash)
	switch {
	case err != nil:
		return fmt.Errorf("must have a hash of crypt(3), such as \"openssl passwd -6\" prints: %w", err)
	case most > 0 && rounds > most:
		return fmt.Errorf("must have a hash of at most %d rounds, not %d: a comparison with a password would take too long", most, rounds)
	}
	return nil
}

// look returns how many rounds a hash has, and how many it may have.
func look(hash string) (rounds, most uint32, err error) {
	for _, k := range kinds {
		if strings.HasPrefix(hash, k.prefix) {
			rounds, err = k.rounds(hash)
			return rounds, k.most, err
		}
	}
	return 0, 0, crypt.ErrHash
}

// The functions below make a key of the fewest rounds, because only that looks at the
// salt.

func sha512Rounds(hash string) (uint32, error) {
	salt, rounds, err := sha512.Params(hash)
	if err == nil {
		_, err = sha512.Key(nil, salt, min(rounds, sha512.MinRounds))
	}
	return rounds, err
}

func sha256Rounds(hash string) (uint32, error) {
	salt, rounds, err := sha256.Params(hash)
	if err == nil {
		_, err = sha256.Key(nil, salt, min(rounds, sha256.MinRounds))
	}
	return rounds, err
}

func md5Rounds(hash string) (uint32, error) {
	salt, err := md5.Salt(hash)
	if err == nil {
		_, err = md5.Key(nil, salt)
	}
	return 0, err
}

func bcryptRounds(hash string) (uint32, error) {
	salt, cost, options, err := bcrypt.Params(hash)
	if err == nil {
		_, err = bcrypt.Key(nil, salt, min(cost, bcrypt.MinCost), options)
	}
	return 1 << cost, err // the cost is the binary logarithm
}

func desextRounds(hash string) (uint32, error) {
	salt, rounds, err := desext.Params(hash)
	if err == nil {
		_, err = desext.Key(nil, salt, min(rounds, desext.MinRounds))
	}
	return rounds, err
}

func desRounds(hash string) (uint32, error) {
	salt, err := des.Salt(hash)
	if err == nil {
		_, err = des.Key(nil, salt)
	}
	return 0, err
}

const (
	yescryptPrefix = "$y$"
	// yescryptMost is what Debian's and Fedora's hashes have: 16 MiB of memory.
	yescryptMost = 4096 * 32
)

// itoa64 are the digits of crypt(3), by value.
const itoa64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// yescryptRounds returns how often a hash by yescrypt mixes 128 bytes: N times r (crypt(5)).
func yescryptRounds(hash string) (uint32, error) {
	parts := strings.Split(hash, "$") // "", "y", "j9T", salt, hash
	if len(parts) != 5 || len(parts[2]) != 3 || len(parts[4]) != 43 {
		return 0, errors.New("it is no hash by yescrypt as libxcrypt makes them")
	}
	n, r := strings.IndexByte(itoa64, parts[2][1])+1, strings.IndexByte(itoa64, parts[2][2])+1
	if n < 10 || n > 18 || r < 1 || r > 32 {
		return 0, errors.New("its parameters are none that libxcrypt makes")
	}
	_, err := yescrypt.Hash(nil, []byte(yescryptPrefix+"j7.$"+parts[3]))
	return uint32(r) << n, err
}

func yescryptMatches(hash, password string) bool {
	got, err := yescrypt.Hash([]byte(password), []byte(hash))
	return err == nil && subtle.ConstantTimeCompare(got, []byte(hash)) == 1
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

// Matches reports whether a password has a hash that Check takes. It takes up to a tenth of
// a second, and with yescrypt 16 MiB. DES uses the first 8 bytes of a password. The network
// sends passwords, so a fault of the library is no match instead of the end of the daemon.
func Matches(hash, password string) (fits bool) {
	defer func() { fits = recover() == nil && fits }()
	if len(password) > MaxPassword(hash) {
		return false
	}
	if strings.HasPrefix(hash, yescryptPrefix) {
		return yescryptMatches(hash, password)
	}
	if len(hash) == 13 && hash[0] != '$' && hash[0] != '_' {
		password = password[:min(len(password), 8)]
	}
	return crypt.Check(hash, password) == nil
}
