package heartbeat

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"holdfast/conf/convert"
)

// A key is a line of authkeys.
type key struct {
	at             convert.Position
	method, secret string
}

// authKey reads a line of authkeys.
func (c *converter) authKey(l line) {
	if l.words[0] == "auth" {
		c.activeKey, c.activeAt = l.value(), l.at
		return
	}
	k := key{at: l.at, method: l.value()}
	if len(l.words) > 2 {
		k.secret = strings.Join(l.words[2:], " ")
	}
	c.keys[l.words[0]] = k
}

// auth writes [vrrp.auth] of an instance. VRRP has one method that is as good as
// heartbeat's sha1: an HMAC.
func (c *converter) auth(t *convert.Table) {
	if c.activeKey == "" {
		return
	}
	k, ok := c.keys[c.activeKey]
	switch {
	case !ok:
		c.once(c.activeAt, true, "there is no key %s", c.activeKey)
	case k.method == "crc" || k.secret == "":
		c.once(k.at, false, "crc protects from errors of the line only, as the checksum of VRRP does: there is no secret")
	default:
		path := c.draft.Secret(c.in.Dir, "vrrp", "secret", c.hmacKey(&k))
		c.once(k.at, false, "%s becomes an HMAC-SHA256 of the adverts, with its key in a file of its own, of mode 600", k.method)
		a := t.Sub("auth", k.at)
		a.Set(k.at, "type", "hmac")
		a.Set(k.at, "keys", []any{convert.Inline{{Key: "id", Value: 1}, {Key: "secret_file", Value: path}}})
	}
	for id, other := range c.keys {
		if id != c.activeKey {
			c.once(other.at, false, "the key %s is not in use", id)
		}
	}
}

// hmacKey returns the key of the HMAC, which has 32 to 64 bytes. Of a secret with
// another length the key is a hash, so that both nodes get the same.
func (c *converter) hmacKey(k *key) string {
	if len(k.secret) >= 32 && len(k.secret) <= 64 {
		return k.secret
	}
	c.once(k.at, false, "the key of an HMAC has 32 to 64 bytes, so it is the SHA-256 of the secret; a random one is better: openssl rand -hex 32")
	sum := sha256.Sum256([]byte(k.secret))
	return "hex:" + hex.EncodeToString(sum[:])
}
