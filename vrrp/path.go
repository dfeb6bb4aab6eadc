package vrrp

import (
	"errors"
	"fmt"
	"net/netip"
)

// A PathConfig is one more path by which the adverts of a virtual router go, so
// that one broken switch makes no second MASTER. The first path, numbered 0, is the
// interface of the addresses.
//
// An advert is the same advert by whatever path it arrives. A tie of priorities is
// decided by address, and a director has another address on each path. So the adverts
// on further paths carry the address of the first one behind them: Advert.Origin. All
// directors thus decide in the same way, even if only one path works.
type PathConfig struct {
	Name string // unique among the paths of a router; the name of the interface
	// Source, Multicast, Unicast and Peers are on this path what they are in Config on
	// the first.
	Source    netip.Addr
	Multicast netip.Addr
	Unicast   bool
	Peers     []PeerConfig
}

// OnPath returns what c is on a path.
func (c *Config) OnPath(path int) Config {
	on := *c
	if path > 0 {
		p := &c.Paths[path-1]
		on.Source, on.Multicast, on.Unicast, on.Peers = p.Source, p.Multicast, p.Unicast, p.Peers
		on.Paths = nil
	}
	return on
}

// ValidatePath returns every error in a path of c, joined, as Validate does. The paths
// count from 1.
func (c *Config) ValidatePath(path int) error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, &FieldError{Key: key, Problem: fmt.Sprintf(format, args...)})
	}
	on := c.OnPath(path)
	on.validateSending(bad)
	on.validatePeers(bad)
	return errors.Join(errs...)
}

func (c *Config) validatePaths(bad func(key, format string, args ...any)) {
	seen := make(map[string]bool, len(c.Paths))
	for i := range c.Paths {
		name := c.Paths[i].Name
		if seen[name] {
			bad("also", "%s is listed twice", name)
		}
		seen[name] = true
		if err := c.ValidatePath(i + 1); err != nil {
			bad("also", "%s: %v", name, err)
		}
	}
}

// Layout of what follows a message on a further path, in bytes: a mark, and the
// address, an IPv4 address in its IPv6-mapped form. Its length differs from
// TrailerLen, which may follow it. Other implementations ignore bytes behind a message.
const (
	originMark = "HFP1"
	// OriginLen is how many bytes an advert on a further path is longer.
	OriginLen = len(originMark) + 16
)

func appendOrigin(b []byte, origin netip.Addr) []byte {
	address := origin.As16()
	return append(append(b, originMark...), address[:]...)
}

// hasOrigin reports whether what follows a message begins with an Origin.
func hasOrigin(rest []byte) bool {
	return (len(rest) == OriginLen || len(rest) == OriginLen+TrailerLen) && string(rest[:len(originMark)]) == originMark
}

// originBehind returns the Origin behind the message of a payload, or the zero Addr.
func originBehind(message, payload []byte) netip.Addr {
	rest := payload[len(message):]
	if !hasOrigin(rest) {
		return netip.Addr{}
	}
	return netip.AddrFrom16([16]byte(rest[len(originMark):OriginLen])).Unmap()
}
