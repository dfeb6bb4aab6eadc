package probe

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// MQTT opens a session with an MQTT broker and ends it. The packets are those of
// the OASIS standards MQTT 3.1.1 and MQTT 5.0.
type MQTT struct {
	Login
	Version  string // "3.1.1" or "5"
	ClientID string // "": the broker chooses one for each session
	TLS      *TLS   // nil: without TLS
}

var defaultMQTT = MQTT{Version: "3.1.1"}

// Kind returns "mqtt".
func (MQTT) Kind() string { return "mqtt" }

// Needs returns NeedsPort.
func (MQTT) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s MQTT) Validate() FieldErrors {
	var errs FieldErrors
	s.Login.validate(&errs)
	if s.Version != "3.1.1" && s.Version != "5" {
		errs.Addf("version", `must be "3.1.1" or "5", not %q`, s.Version)
	}
	if len(s.ClientID) > mqttLongest || strings.ContainsRune(s.ClientID, 0) {
		errs.Addf("client_id", "must be at most %d bytes, none of them zero", mqttLongest)
	}
	if len(s.User) > mqttLongest {
		errs.Addf("user", "must be at most %d bytes", mqttLongest)
	}
	if len(s.Password) > mqttLongest {
		errs.Addf("password_file", "a password must be at most %d bytes", mqttLongest)
	}
	s.TLS.validate(&errs)
	return errs
}

func (s MQTT) prober(_ *Tools, to Target) Prober {
	return &mqttProber{Dialer: NewDialer(to, s.TLS, "", "mqtt"), connect: s.connect(), five: s.Version == "5"}
}

// The types of packet that a check sends or gets, in the upper half of their first
// byte (MQTT 5.0 §2.1.2).
const (
	mqttConnect    = 1 << 4
	mqttConnack    = 2 << 4
	mqttDisconnect = 14 << 4
)

// connect returns the CONNECT packet (MQTT 5.0 §3.1).
func (s MQTT) connect() []byte {
	const cleanStart, hasPassword, hasUser = 1 << 1, 1 << 6, 1 << 7
	level, flags := byte(4), byte(cleanStart)
	if s.Version == "5" {
		level = 5
	}
	if s.User != "" {
		flags |= hasUser
	}
	if s.Password != "" {
		flags |= hasPassword
	}
	const keepAlive = 60 // seconds; a check is over before
	b := append(mqttString(nil, "MQTT"), level, flags, 0, keepAlive)
	if level == 5 {
		b = append(b, 0) // no properties
	}
	b = mqttString(b, s.ClientID)
	if s.User != "" {
		b = mqttString(b, s.User)
	}
	if s.Password != "" {
		b = mqttString(b, string(s.Password))
	}
	// The length has seven bits a byte, like the varint of package binary.
	return append(binary.AppendUvarint([]byte{mqttConnect}, uint64(len(b))), b...)
}

// mqttLongest is the length of the longest string of the protocol.
const mqttLongest = 1<<16 - 1

// mqttString appends a string with its length (MQTT 5.0 §1.5.4).
func mqttString(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
}

type mqttProber struct {
	*Dialer
	connect []byte
	five    bool // MQTT 5
}

// Probe implements Prober.
func (p *mqttProber) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	conn, err := p.Secure(raw)
	if err != nil {
		return err
	}
	return p.login(raw, conn)
}

func (p *mqttProber) login(raw *Conn, conn net.Conn) error {
	if _, err := conn.Write(p.connect); err != nil {
		return raw.Failed("login", err)
	}
	code, detail, err := readConnack(bufio.NewReaderSize(conn, 256), p.five)
	switch {
	case err != nil:
		return raw.Failed("login", err)
	case code != 0:
		return fmt.Errorf("login: %s%s", p.reason(code), detail)
	}
	// Without it the broker would log that the client is gone. A failure says nothing
	// of the broker, which has answered.
	_, _ = conn.Write([]byte{mqttDisconnect, 0})
	return nil
}

// readConnack reads a CONNACK packet (MQTT 5.0 §3.2). It returns the code of the
// answer, and what the broker has to say about it.
func readConnack(r *bufio.Reader, five bool) (code byte, detail string, err error) {
	kind, err := r.ReadByte()
	if err != nil {
		return 0, "", err
	}
	if kind != mqttConnack {
		return 0, "", fmt.Errorf("the answer is not that of an MQTT broker: it begins with %#02x", kind)
	}
	size, err := binary.ReadUvarint(r)
	if err != nil || size < 2 || size > 64<<10 {
		return 0, "", errors.Join(err, fmt.Errorf("the answer has the length %d", size))
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, "", err
	}
	if five {
		detail = mqttReasonString(body[2:])
	}
	return body[1], detail, nil
}

// mqttReasonString returns the reason string among the properties of a CONNACK (MQTT
// 5.0 §3.2.2.3.9) if it comes first, as brokers put it where they refuse.
func mqttReasonString(properties []byte) string {
	const reasonString = 0x1f
	_, n := binary.Uvarint(properties)
	if n <= 0 || len(properties) < n+3 || properties[n] != reasonString {
		return ""
	}
	text := properties[n+3:]
	if size := int(binary.BigEndian.Uint16(properties[n+1:])); size <= len(text) {
		return " (" + strings.Trim(strconv.QuoteToGraphic(string(text[:size])), `"`) + ")"
	}
	return ""
}

// reason returns the words for a code that is not 0.
func (p *mqttProber) reason(code byte) string {
	reasons := mqttReturnCodes
	if p.five {
		reasons = mqttReasonCodes
	}
	if words := reasons[code]; words != "" {
		return words
	}
	return fmt.Sprintf("refused with code %d", code)
}

// mqttReturnCodes are those of MQTT 3.1.1 §3.2.2.3.
var mqttReturnCodes = map[byte]string{
	1: "the broker does not accept this version of MQTT",
	2: "the broker does not accept the client_id",
	3: "the MQTT service is not available",
	4: "wrong user or password",
	5: "not authorized",
}

// mqttReasonCodes are those of MQTT 5.0 §3.2.2.2.
var mqttReasonCodes = map[byte]string{
	0x80: "unspecified error",
	0x81: "malformed packet",
	0x82: "protocol error",
	0x83: "the broker does not accept the request",
	0x84: "the broker does not accept this version of MQTT",
	0x85: "the broker does not accept the client_id",
	0x86: "wrong user or password",
	0x87: "not authorized",
	0x88: "the MQTT service is not available",
	0x89: "the broker is busy",
	0x8a: "banned",
	0x8c: "wrong method of authentication",
	0x95: "the packet is too large",
	0x97: "a quota is exceeded",
	0x9c: "the broker names another one to use",
	0x9d: "the broker has moved",
	0x9f: "too many connections at this time",
}
