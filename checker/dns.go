package checker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// A dnsProber asks one question over UDP (RFC 1035) and wants an answer without
// an error, whatever it says.
type dnsProber struct {
	caller
	question dnsmessage.Question
	query    []byte // packed, with ID 0
}

// question returns what to ask, or an error if the name cannot be asked for.
func (d *DNSConfig) question() (dnsmessage.Question, error) {
	name, err := dnsmessage.NewName(strings.TrimSuffix(d.Name, ".") + ".")
	q := dnsmessage.Question{Name: name, Type: dnsmessage.Type(d.Type), Class: dnsmessage.ClassINET}
	if err == nil {
		_, err = query(q)
	}
	return q, err
}

func query(q dnsmessage.Question) ([]byte, error) {
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{RecursionDesired: true},
		Questions: []dnsmessage.Question{q},
	}
	return m.Pack()
}

func newDNSProber(c *Config) *dnsProber {
	p := &dnsProber{caller: newCaller(c, unix.SOCK_DGRAM)}
	// Neither fails with a Config that is valid.
	p.question, _ = c.DNS.question()
	p.query, _ = query(p.question)
	return p
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

// await reads until the answer to our question has come: a datagram that is
// not that may be late from the attempt before, on a port that we have again.
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

// answered reports whether a datagram is the answer to our question, and if
// so, what is wrong with it.
func (p *dnsProber) answered(datagram []byte, id uint16) (ours bool, err error) {
	var parser dnsmessage.Parser
	head, malformed := parser.Start(datagram)
	if malformed != nil || !head.Response || head.ID != id {
		return false, nil //nolint:nilerr // what is malformed is not our answer
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
