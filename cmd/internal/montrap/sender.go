package montrap

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"holdfast/conf/crypthash"
)

// A Sender may send traps.
type Sender struct {
	From []netip.Prefix // its addresses
	// User must be that of the trap; "": any, and no password is asked for.
	User string
	// Password must be that of the trap, or Hash its crypt(3).
	Password, Hash string
}

// Why a trap is refused.
var (
	errSender   = errors.New("no sender has this address")
	errUser     = errors.New("no sender at this address has this user")
	errPassword = errors.New("the password is wrong")
	errLong     = errors.New("the password is longer than its kind of hash allows here")
	errHashes   = fmt.Errorf("more than %d passwords of the address, or %d of all, were to be compared with a hash in a second", maxHashes, maxHashesOfAll)
	errTraps    = fmt.Errorf("more than %d traps of the address, or %d of all, came in a second", maxTraps, maxTrapsOfAll)
)

// A gate lets the traps of senders in. It belongs to one goroutine.
type gate struct {
	senders []Sender
	// good is what was right last, by the number of the sender, as a keyed hash: to
	// check a hash of crypt(3) takes milliseconds.
	good map[int][]byte
	key  [32]byte
}

func newGate(senders []Sender) *gate {
	g := &gate{senders: senders, good: map[int][]byte{}}
	rand.Read(g.key[:])
	return g
}

// knows reports whether an address may send anything.
func (g *gate) knows(from netip.Addr) bool {
	return slices.ContainsFunc(g.senders, func(s Sender) bool { return s.has(from) })
}

func (s *Sender) has(from netip.Addr) bool {
	return slices.ContainsFunc(s.From, func(p netip.Prefix) bool { return p.Contains(from) })
}

// admit returns nil if a trap from an address is let in. slow says whether a hash may be
// computed now.
func (g *gate) admit(from netip.Addr, t *Trap, slow func() bool) error {
	err := errSender
	for i := range g.senders {
		s := &g.senders[i]
		switch {
		case !s.has(from):
		case s.User == "":
			return nil
		case s.User != t.User:
			if errors.Is(err, errSender) {
				err = errUser
			}
		default:
			if err = g.check(i, t.Password, slow); err == nil {
				return nil
			}
		}
	}
	return err
}

// check returns nil if a password is that of a sender.
func (g *gate) check(i int, password string, slow func() bool) error {
	s := &g.senders[i]
	if s.Hash == "" {
		if subtle.ConstantTimeCompare([]byte(s.Password), []byte(password)) == 0 {
			return errPassword
		}
		return nil
	}
	mac := hmac.New(sha256.New, g.key[:])
	mac.Write([]byte(password))
	sum := mac.Sum(nil)
	good := g.good[i]
	switch {
	case good != nil && hmac.Equal(good, sum):
		return nil
	case len(password) > crypthash.MaxPassword(s.Hash):
		return errLong
	case !slow():
		return errHashes
	case !crypthash.Matches(s.Hash, password):
		return errPassword
	}
	g.good[i] = sum
	return nil
}
