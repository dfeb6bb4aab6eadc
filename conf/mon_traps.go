package conf

import (
	"net/netip"

	"holdfast/conf/crypthash"
	"holdfast/vrrp/auth"
)

// MonTraps say where traps of mon are received, and from whom.
type MonTraps struct {
	Listen  []netip.AddrPort // UDP; none: no traps are received
	Senders []MonSender
}

// A MonSender may send traps.
type MonSender struct {
	From []netip.Prefix
	User string // "": any, without a password
	// The file of the password, or of its hash by crypt(3); Password and Hash are the
	// contents.
	PasswordFile, HashFile string
	Password, Hash         auth.Secret
}

func (m *MonTraps) visit(t *table) {
	field(t, "listen", &m.Listen, listOf(serverAddress(2583)), nil)
	list(t, "sender", &m.Senders, func(t *table, s *MonSender) { s.visit(t) })
	if !t.reading() {
		return
	}
	if len(m.Listen) > 0 && len(m.Senders) == 0 && t.ok("listen", "sender") {
		t.failf("listen", "needs a [[mon_traps.sender]]: without one each trap is refused")
	}
	if len(m.Listen) == 0 && len(m.Senders) > 0 && t.ok("listen", "sender") {
		t.warnf("sender", "has no effect without listen")
	}
}

func (s *MonSender) visit(t *table) {
	need(t, "from", &s.From, listOf(network))
	field(t, "user", &s.User, text, "")
	field(t, "password_file", &s.PasswordFile, optionalSecretPath, "")
	field(t, "hash_file", &s.HashFile, optionalSecretPath, "")
	if !t.reading() {
		return
	}
	s.Password = readSecretFile(t, "password_file", s.PasswordFile)
	s.Hash = readSecretFile(t, "hash_file", s.HashFile)
	switch {
	case !t.ok("from", "user", "password_file", "hash_file"):
	case len(s.From) == 0:
		t.failf("from", "must name at least one network or address")
	case s.User == "":
		forbidUnless(t, "without user", map[string]bool{"password_file": s.PasswordFile == "", "hash_file": s.HashFile == ""})
	case (s.PasswordFile == "") == (s.HashFile == ""):
		t.failf("user", "needs password_file or hash_file, and not both")
	case s.HashFile != "":
		if err := crypthash.Check(string(s.Hash)); err != nil {
			t.failf("hash_file", "%v", err)
		}
	}
}
