package conf

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"holdfast/vrrp/auth"
)

// A Trap is an SNMP manager to which alerts are sent.
type Trap struct {
	Name    string
	Address netip.AddrPort // UDP
	Version TrapVersion
	// CommunityFile is with version 2c, the following keys with version 3. Community and
	// the passwords are the contents of their files; without one Community is "public".
	CommunityFile       string
	Community           auth.Secret
	User                string
	Auth                string // a hash; "none": no authentication
	AuthFile, CryptFile string
	AuthKey, CryptKey   auth.Secret
	Crypt               string // a cipher; "none": no encryption
	EngineID            string // hexadecimal digits; "": made of the name of the director
	Enterprise          string // the object identifier below which the traps are
	Confirm             bool   // the manager confirms (InformRequest)
	Timeout             time.Duration
	Retry               Retry
}

// A TrapVersion is a version of SNMP.
type TrapVersion string

// The versions.
const (
	TrapV2c TrapVersion = "2c"
	TrapV3  TrapVersion = "3"
)

// NoTrapKey says that a message is not authenticated, or not encrypted.
const NoTrapKey = "none"

// DefaultEnterprise is Net-SNMP's netSnmpPlaypen, which everybody may use on his own
// network. holdfast has no number of its own.
const DefaultEnterprise = "1.3.6.1.4.1.8072.9999.9999"

// defaultCommunity is that of most programs.
const defaultCommunity = "public"

// minTrapKey is the shortest password that RFC 3414 section 11.2 recommends, and that
// Net-SNMP accepts.
const minTrapKey = 8

var (
	trapVersion = choice(option[TrapVersion]{"2c", TrapV2c}, option[TrapVersion]{"3", TrapV3})
	trapAuth    = choice(same(NoTrapKey, "md5", "sha1", "sha224", "sha256", "sha384", "sha512")...)
	trapCrypt   = choice(same(NoTrapKey, "des", "aes128", "aes192", "aes256")...)
)

func same(words ...string) []option[string] {
	var all []option[string]
	for _, w := range words {
		all = append(all, option[string]{w, w})
	}
	return all
}

// engineID is the identifier of an SNMP engine (RFC 3411 section 5, SnmpEngineID).
var engineID = textual("the identifier of an engine", func(s string) (string, error) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, "0x"))
	if s != "" && (err != nil || len(b) < 5 || len(b) > 32) {
		return "", fmt.Errorf(`must be 5 to 32 bytes in hexadecimal digits, like "80001f8804686f6c6466617374", not %s`, quoteShort(s))
	}
	return hex.EncodeToString(b), nil
}, func(s string) string { return s })

var objectID = textual("an object identifier", func(s string) (string, error) {
	numbers := strings.Split(s, ".")
	for _, n := range numbers {
		if _, err := strconv.ParseUint(n, 10, 32); err != nil || len(numbers) < 7 {
			return "", fmt.Errorf(`must be an object identifier in numbers, like %q, not %s`, DefaultEnterprise, quoteShort(s))
		}
	}
	return s, nil
}, func(s string) string { return s })

func (r *Trap) visit(t *table) {
	need(t, "name", &r.Name, name)
	need(t, "address", &r.Address, serverAddress(162))
	field(t, "version", &r.Version, trapVersion, TrapV2c)
	v3 := r.Version == TrapV3
	if t.reading() || !v3 {
		field(t, "community_file", &r.CommunityFile, optionalSecretPath, "")
	}
	if t.reading() || v3 {
		field(t, "user", &r.User, text, "")
		field(t, "auth", &r.Auth, trapAuth, "sha256")
		field(t, "auth_file", &r.AuthFile, optionalSecretPath, "")
		field(t, "crypt", &r.Crypt, trapCrypt, "aes128")
		field(t, "crypt_file", &r.CryptFile, optionalSecretPath, "")
		field(t, "engine_id", &r.EngineID, engineID, "")
	}
	field(t, "enterprise", &r.Enterprise, objectID, DefaultEnterprise)
	field(t, "confirm", &r.Confirm, boolean, false)
	field(t, "timeout", &r.Timeout, duration(100*time.Millisecond, time.Minute), 5*time.Second)
	r.Retry.visit(t, Retry{Pause: time.Second, PauseMax: time.Minute, GiveUp: time.Hour, Queue: 1024})
	if t.reading() {
		r.check(t, v3)
	}
}

// check sees that the keys fit the version, and reads the files.
func (r *Trap) check(t *table, v3 bool) {
	if !v3 {
		t.forbid(`with version = "2c"`, "user", "auth", "auth_file", "crypt", "crypt_file", "engine_id")
		r.Auth, r.Crypt = "", ""
		r.Community = defaultCommunity
		if r.CommunityFile != "" {
			r.Community = readSecretFile(t, "community_file", r.CommunityFile)
		}
		return
	}
	t.forbid(`with version = "3"`, "community_file")
	if r.User == "" && t.ok("user") {
		t.failf("user", `is needed with version = "3"`)
	}
	if r.Auth == NoTrapKey && r.Crypt != NoTrapKey && t.ok("auth", "crypt") {
		t.failf("crypt", `must be "none" with auth = "none": SNMP encrypts only what it authenticates`)
	}
	r.AuthKey = readTrapKey(t, "auth", r.Auth, "auth_file", r.AuthFile)
	r.CryptKey = readTrapKey(t, "crypt", r.Crypt, "crypt_file", r.CryptFile)
}

// readTrapKey returns the password in a file, which an algorithm needs.
func readTrapKey(t *table, key, algorithm, fileKey, path string) auth.Secret {
	switch {
	case !t.ok(key, fileKey):
		return ""
	case algorithm == NoTrapKey:
		if path != "" {
			t.failf(fileKey, "has no effect with %s = %q", key, NoTrapKey)
		}
		return ""
	case path == "":
		t.failf(fileKey, "is needed with %s = %q", key, algorithm)
		return ""
	}
	secret := readSecretFile(t, fileKey, path)
	if n := len(secret); n > 0 && n < minTrapKey {
		t.failf(fileKey, "must have at least %d characters, not %d", minTrapKey, n)
	}
	return secret
}
