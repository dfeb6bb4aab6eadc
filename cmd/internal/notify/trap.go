package notify

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"

	"holdfast/cmd/internal/event"
)

// TrapOptions say where and how traps are sent.
type TrapOptions struct {
	Address    string // of the manager, UDP
	Community  string // with version 2c
	V3         bool
	User       string // with version 3, as the following
	Auth       string // md5, sha1, sha224, sha256, sha384, sha512; "none"
	AuthKey    string
	Crypt      string // des, aes128, aes192, aes256; "none"
	CryptKey   string
	EngineID   string // hexadecimal digits; "": of the director's name
	Enterprise string // the object identifier below which the traps are
	Confirm    bool   // wait until the manager confirms
	Timeout    time.Duration
	Director   string
}

// A Trap is a transport that sends alerts as SNMP notifications (RFC 3416 section
// 4.2.6): of type Enterprise.0.1 for failures and Enterprise.0.2 for recoveries. Without
// Confirm nobody knows whether one has arrived.
type Trap struct {
	o       TrapOptions
	started time.Time
}

// NewTrap returns a transport.
func NewTrap(o TrapOptions) *Trap { return &Trap{o, time.Now()} }

// Close implements Transport.
func (*Trap) Close() {}

// Deliver implements Transport.
func (t *Trap) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if len(events) == 0 {
		return 0, nil
	}
	session, err := t.session(ctx)
	if err != nil {
		return 0, err
	}
	defer session.Conn.Close()
	// While gosnmp waits for the confirmation, it does not look at the context.
	defer context.AfterFunc(ctx, func() { session.Conn.Close() })()
	for i := range events {
		e := &events[i]
		if e.Alert == nil {
			continue
		}
		if _, err := session.SendTrap(gosnmp.SnmpTrap{Variables: t.variables(e), IsInform: t.o.Confirm}); err != nil {
			return i, t.unsent(err)
		}
	}
	return len(events), nil
}

// unsent is the error of a trap that was not sent or not confirmed. A manager that knows
// no such community, or does not run, is silent.
func (t *Trap) unsent(err error) error {
	if errors.Is(err, gosnmp.ErrMaxRetriesExceeded) {
		return fmt.Errorf("the manager %s did not confirm within %v", t.o.Address, t.o.Timeout)
	}
	return fmt.Errorf("send a trap: %w", err)
}

// session opens a socket towards the manager.
func (t *Trap) session(ctx context.Context) (*gosnmp.GoSNMP, error) {
	host, port, err := net.SplitHostPort(t.o.Address)
	if err != nil {
		return nil, fmt.Errorf("send a trap: %w", err)
	}
	number, err := net.LookupPort("udp", port)
	if err != nil {
		return nil, fmt.Errorf("send a trap: %w", err)
	}
	g := &gosnmp.GoSNMP{
		Target: host, Port: uint16(number), Transport: "udp", Version: gosnmp.Version2c, Community: t.o.Community,
		Timeout: t.o.Timeout, Context: ctx, MaxOids: gosnmp.MaxOids,
	}
	if t.o.V3 {
		t.secure(g)
	}
	if err := g.Connect(); err != nil {
		return nil, fmt.Errorf("send a trap: %w", err)
	}
	return g, nil
}

// Protocols by the words of the configuration.
var (
	trapAuths = map[string]gosnmp.SnmpV3AuthProtocol{
		"md5": gosnmp.MD5, "sha1": gosnmp.SHA, "sha224": gosnmp.SHA224, "sha256": gosnmp.SHA256, "sha384": gosnmp.SHA384, "sha512": gosnmp.SHA512,
	}
	trapCrypts = map[string]gosnmp.SnmpV3PrivProtocol{
		"des": gosnmp.DES, "aes128": gosnmp.AES, "aes192": gosnmp.AES192, "aes256": gosnmp.AES256,
	}
)

// secure sets up version 3.
func (t *Trap) secure(g *gosnmp.GoSNMP) {
	user := &gosnmp.UsmSecurityParameters{
		UserName:               t.o.User,
		AuthenticationProtocol: cmp.Or(trapAuths[t.o.Auth], gosnmp.NoAuth), AuthenticationPassphrase: t.o.AuthKey,
		PrivacyProtocol: cmp.Or(trapCrypts[t.o.Crypt], gosnmp.NoPriv), PrivacyPassphrase: t.o.CryptKey,
	}
	g.Version, g.SecurityModel, g.SecurityParameters = gosnmp.Version3, gosnmp.UserSecurityModel, user
	switch {
	case user.AuthenticationProtocol == gosnmp.NoAuth:
		g.MsgFlags = gosnmp.NoAuthNoPriv
	case user.PrivacyProtocol == gosnmp.NoPriv:
		g.MsgFlags = gosnmp.AuthNoPriv
	default:
		g.MsgFlags = gosnmp.AuthPriv
	}
	if t.o.Confirm { // the manager's engine decides, and says which it is (RFC 3414 section 4)
		return
	}
	engine := t.engine()
	user.AuthoritativeEngineID, g.ContextEngineID = engine, engine
	user.AuthoritativeEngineBoots, user.AuthoritativeEngineTime = t.boots()
}

// engine returns the identifier of this engine. By default it has Net-SNMP's enterprise
// number, because holdfast has none, and the format for text (RFC 3411, SnmpEngineID).
func (t *Trap) engine() string {
	if t.o.EngineID != "" {
		id, err := hex.DecodeString(t.o.EngineID)
		if err == nil {
			return string(id)
		}
	}
	const maxText = 27
	return "\x80\x00\x1f\x88\x04" + t.o.Director[:min(len(t.o.Director), maxText)]
}

// boots returns how often the engine was started, and how many seconds ago. A manager
// wants the former to grow (RFC 3414 section 3.2). The minutes since 2020 do, without a
// file: a start in the same minute is within the time that the manager tolerates.
func (t *Trap) boots() (boots, seconds uint32) {
	since := t.started.Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	return uint32(since / time.Minute), uint32(time.Since(t.started) / time.Second)
}

// maxTrapText is how many bytes of the text of an alert go into a trap, so that it fits
// one packet.
const maxTrapText = 1000

// variables returns what the notification of an alert carries.
func (t *Trap) variables(e *event.Event) []gosnmp.SnmpPDU {
	kind, text := ".0.1", e.Alert.Text
	if e.To == event.Up {
		kind = ".0.2"
	}
	if len(text) > maxTrapText {
		text = strings.ToValidUTF8(text[:maxTrapText], "")
	}
	name := func(n int) string { return fmt.Sprintf("%s.1.%d.0", t.o.Enterprise, n) }
	octets := func(n int, s string) gosnmp.SnmpPDU {
		return gosnmp.SnmpPDU{Name: name(n), Type: gosnmp.OctetString, Value: s}
	}
	number := func(n, value int) gosnmp.SnmpPDU {
		return gosnmp.SnmpPDU{Name: name(n), Type: gosnmp.Integer, Value: value}
	}
	return []gosnmp.SnmpPDU{
		{Name: "1.3.6.1.2.1.1.3.0", Type: gosnmp.TimeTicks, Value: uint32(time.Since(t.started) / (10 * time.Millisecond))}, // sysUpTime
		{Name: "1.3.6.1.6.3.1.1.4.1.0", Type: gosnmp.ObjectIdentifier, Value: t.o.Enterprise + kind},                        // snmpTrapOID
		octets(1, e.Subject), octets(2, t.o.Director), octets(3, e.To), octets(4, oneLine(e.Reason)),
		number(5, e.Alert.DownTotal), number(6, e.Alert.UpTotal), octets(7, text),
	}
}
