package probe

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// DNS asks a question over UDP (RFC 1035). The answer must have the code
// NOERROR; it may hold any records, or none.
type DNS struct {
	Name   string // domain name, with or without the dot at its end
	Record string // the type of record that is asked for, in capitals: "A", "SOA"
}

// defaultDNS asks what every name server and resolver can answer.
var defaultDNS = DNS{Name: ".", Record: "SOA"}

// recordTypes are the types of record that a check can ask for.
var recordTypes = []struct {
	name string
	code dnsmessage.Type
}{
	{"A", dnsmessage.TypeA},
	{"AAAA", dnsmessage.TypeAAAA},
	{"CNAME", dnsmessage.TypeCNAME},
	{"MX", dnsmessage.TypeMX},
	{"NS", dnsmessage.TypeNS},
	{"PTR", dnsmessage.TypePTR},
	{"SOA", dnsmessage.TypeSOA},
	{"SRV", dnsmessage.TypeSRV},
	{"TXT", dnsmessage.TypeTXT},
}

// RecordTypes returns the names of the types of record that a DNS check can ask
// for.
func RecordTypes() []string {
	names := make([]string, len(recordTypes))
	for i, r := range recordTypes {
		names[i] = r.name
	}
	return names
}

// Kind returns "dns".
func (DNS) Kind() string { return "dns" }

// Needs returns NeedsPort.
func (DNS) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s DNS) Validate() FieldErrors {
	var errs FieldErrors
	if _, _, err := s.query(); err != nil {
		errs.Addf("name", "%q is not a domain name", s.Name)
	}
	if s.record() == 0 {
		errs.Addf("record", "must be one of %s, not %q", strings.Join(RecordTypes(), " "), s.Record)
	}
	return errs
}

// record returns the code of the type of record; 0 if it is unknown.
func (s DNS) record() dnsmessage.Type {
	for _, r := range recordTypes {
		if r.name == s.Record {
			return r.code
		}
	}
	return 0
}

// query returns the question and the packed message that asks it, with ID 0. It
// fails if the name is not a domain name.
func (s DNS) query() (dnsmessage.Question, []byte, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(s.Name, ".") + ".")
	if err != nil {
		return dnsmessage.Question{}, nil, err
	}
	q := dnsmessage.Question{Name: name, Type: s.record(), Class: dnsmessage.ClassINET}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true}, // otherwise a resolver answers from its cache only
		Questions: []dnsmessage.Question{q},
	}
	packed, err := m.Pack()
	return q, packed, err
}

func (s DNS) prober(_ *Tools, to Target) Prober {
	p := &dnsProber{dialer: newDialer(to, unix.SOCK_DGRAM)}
	p.question, p.query, _ = s.query() // valid settings do not fail
	return p
}

type dnsProber struct {
	dialer
	question dnsmessage.Question
	query    []byte // packed, with ID 0
}

// Probe implements Prober.
func (p *dnsProber) Probe(ctx context.Context) error {
	conn, err := p.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	id := uint16(rand.Uint32())
	ask := append([]byte{byte(id >> 8), byte(id)}, p.query[2:]...)
	if _, err := conn.Write(ask); err != nil {
		return p.failed("request", err)
	}
	return p.await(conn, id)
}

// await reads until the answer to our question comes. Other datagrams can be
// late answers to an earlier attempt that had the same local port.
func (p *dnsProber) await(conn *socket, id uint16) error {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	for {
		n, err := receive(conn, buf[:])
		if err != nil {
			return p.failed("answer", err)
		}
		if ours, err := p.answered(buf[:n], id); ours {
			return err
		}
	}
}

// answered reports whether a datagram is the answer to our question, and if it
// is, what is wrong with it.
func (p *dnsProber) answered(datagram []byte, id uint16) (ours bool, err error) {
	var parser dnsmessage.Parser
	head, malformed := parser.Start(datagram)
	if malformed != nil || !head.Response || head.ID != id {
		return false, nil //nolint:nilerr // a malformed datagram is not our answer
	}
	if head.RCode != dnsmessage.RCodeSuccess {
		return true, fmt.Errorf("DNS %s, want NOERROR", codeName(head.RCode))
	}
	asked, malformed := parser.Question()
	return malformed == nil && asked.Type == p.question.Type && strings.EqualFold(asked.Name.String(), p.question.Name.String()), nil
}

// codeName returns the name of a response code in the IANA registry.
func codeName(code dnsmessage.RCode) string {
	names := [...]string{"NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"}
	if int(code) < len(names) {
		return names[code]
	}
	return fmt.Sprintf("code %d", code)
}
