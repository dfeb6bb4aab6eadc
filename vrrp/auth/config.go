// Package auth authenticates adverts.
//
// It implements the simple password and the IP authentication header of RFC 2338,
// both for version 2 only, and a trailer with an HMAC-SHA256 for versions 2 and 3.
// The trailer (auth_hmac in keepalived) has the form of keepalived 2.4.2 and later;
// 2.4.0 and 2.4.1 send other ones. Like package vrrp it has no socket, clock or
// file: bytes and the time come in.
//
// The password is no protection, because it is sent in clear text. It keeps apart
// routers that share a VRID by mistake.
//
// A [Guard] authenticates for one virtual router. To send an advert:
//
//	guard.Mark(&advert)                        // sets the message's own fields
//	b := guard.Begin(nil, now, source)         // an authentication header, if any
//	b = advert.Append(b, source, destination, checksum)
//	b = guard.Seal(b, now, source)             // a trailer, if any
//	guard.Finish(packet)                       // after the IP header was put in front
//
// If [Guard.Fresh] is false, the result can be sent again and again. To receive
// one, call [Guard.Check] after vrrp.Decode and Config.Admit.
package auth

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"holdfast/vrrp"
)

// A Kind is a way to authenticate.
type Kind uint8

// The kinds.
const (
	None     Kind = iota
	Password      // RFC 2338 §5.3.6, type 1: eight bytes in clear text
	Header        // type 2: IP authentication header with HMAC-MD5-96 (RFC 2403)
	HMAC          // a trailer with HMAC-SHA256, cut to 128 bits
)

// A Mode says how strict HMAC is. The modes other than Enforce are for
// introducing it router by router.
type Mode uint8

// The modes. In every mode, an advert with a wrong trailer is refused.
const (
	Enforce     Mode = iota // we send a trailer, and refuse adverts without one
	Permissive              // we send a trailer, and accept adverts without one
	ReceiveOnly             // we send no trailer, and accept adverts without one
)

// masked replaces a Secret wherever one is printed.
const masked = "(secret)"

// A Secret is a password or key, as raw bytes. Printing, formatting or
// marshalling it gives a placeholder; a conversion to string gives the bytes.
type Secret string

// String returns a placeholder.
func (Secret) String() string { return masked }

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// MarshalText returns a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }

// A Key is one HMAC key.
type Key struct {
	ID     uint8  // 1 to 255; sent in clear with each advert
	Secret Secret // 32 to 64 bytes
}

// Config says how a virtual router authenticates. The zero Config means None.
type Config struct {
	Kind   Kind
	Secret Secret // for Password and Header: 1 to 8 bytes
	// Keys are the HMAC keys. Adverts made with any of them are accepted. Ours are
	// made with the key whose ID is Active.
	Keys   []Key
	Active uint8
	Mode   Mode
	// Window is how far the time in a trailer may be from ours, 1 s to 300 s. With
	// 0 it only has to grow, for directors whose clocks differ.
	Window time.Duration
}

// Equal reports whether c and d are the same.
func (c *Config) Equal(d *Config) bool {
	return c.Kind == d.Kind && c.Secret == d.Secret && slices.Equal(c.Keys, d.Keys) &&
		c.Active == d.Active && c.Mode == d.Mode && c.Window == d.Window
}

// Type returns the authentication type in version 2 messages.
func (c *Config) Type() uint8 {
	switch c.Kind {
	case Password:
		return 1
	case Header:
		return 2
	}
	return 0
}

// Overhead returns how many bytes authentication adds to our messages.
func (c *Config) Overhead() int {
	switch {
	case c.Kind == Header:
		return ahLen
	case c.Kind == HMAC && c.Mode != ReceiveOnly:
		return vrrp.TrailerLen
	}
	return 0
}

// Validate returns every error in c for a VRRP version, joined. Each is a
// *vrrp.FieldError. No error text contains a secret.
func (c *Config) Validate(version uint8) error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, &vrrp.FieldError{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	switch c.Kind {
	case Password, Header:
		if version != 2 {
			bad("type", "is possible with version 2 only: use hmac with version 3")
		}
		if n := len(c.Secret); n < 1 || n > 8 {
			bad("secret", "must be 1 to 8 bytes long")
		}
	case HMAC:
		c.validateHMAC(bad)
	}
	return errors.Join(errs...)
}

func (c *Config) validateHMAC(bad func(key, format string, args ...any)) {
	if len(c.Keys) == 0 {
		bad("keys", "at least one key is needed")
		return
	}
	seen := map[uint8]bool{}
	for _, k := range c.Keys {
		switch {
		case k.ID == 0:
			bad("keys", "a key's id must be 1 to 255")
		case seen[k.ID]:
			bad("keys", "the id %d is given twice", k.ID)
		case len(k.Secret) < 32 || len(k.Secret) > 64:
			bad("keys", "key %d must be 32 to 64 bytes long", k.ID)
		}
		seen[k.ID] = true
	}
	if !seen[c.Active] {
		bad("active_key", "there is no key %d", c.Active)
	}
	if c.Window != 0 && (c.Window < time.Second || c.Window > 300*time.Second) {
		bad("time_window", "must be from 1s to 300s")
	}
}

// padded returns a password's bytes, with zeros up to eight.
func padded(s Secret) (b [8]byte) {
	copy(b[:], s)
	return b
}
