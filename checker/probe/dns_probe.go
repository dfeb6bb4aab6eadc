package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

func (s DNS) prober(_ *Tools, to Target) Prober {
	p := &dnsProber{
		dialer: newDialer(to, unix.SOCK_DGRAM), stream: newDialer(to, unix.SOCK_STREAM, sendAtOnce),
		settings: s, expect: compile(s.Expect),
	}
	p.question, p.query, _ = s.query() // valid settings do not fail
	return p
}

type dnsProber struct {
	dialer          // for UDP
	stream   dialer // for TCP
	settings DNS
	expect   *regexp.Regexp // nil: any
	question dnsmessage.Question
	query    []byte // packed, with ID 0
}

// Probe implements Prober.
func (p *dnsProber) Probe(ctx context.Context) error {
	buf := datagrams.Get().(*[1 << 16]byte)
	defer datagrams.Put(buf)
	if !p.settings.TCP {
		truncated, err := p.askUDP(ctx, buf[:])
		if !truncated {
			return err
		}
	}
	err := p.askTCP(ctx, buf[:])
	if err != nil && !p.settings.TCP {
		return fmt.Errorf("over TCP, because the answer over UDP is truncated: %w", err)
	}
	return err
}

// request returns the question with an ID that nobody can foresee.
func (p *dnsProber) request() (ask []byte, id uint16) {
	id = uint16(rand.Uint32())
	return append([]byte{byte(id >> 8), byte(id)}, p.query[2:]...), id
}

// askUDP asks over UDP. It reports whether the answer was cut off before what matters.
// Other datagrams can be late answers to an earlier attempt that had the same local
// port.
func (p *dnsProber) askUDP(ctx context.Context, buf []byte) (truncated bool, err error) {
	conn, err := p.dial(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	ask, id := p.request()
	if _, err := conn.Write(ask); err != nil {
		return false, p.failed("request", err)
	}
	for stray := false; ; stray = true {
		n, err := receive(conn, buf)
		if err != nil {
			return false, p.unanswered(err, stray)
		}
		if head, parser, ours := p.answer(buf[:n], id); ours {
			err := p.judge(head, parser)
			return err != nil && head.Truncated, err
		}
	}
}

// askTCP asks over TCP, where the length of a message comes before it (RFC 1035
// §4.2.2).
func (p *dnsProber) askTCP(ctx context.Context, buf []byte) error {
	conn, err := p.stream.dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	ask, id := p.request()
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(ask))), ask...)); err != nil {
		return p.stream.failed("request", err)
	}
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return p.stream.failed("answer", err)
	}
	message := buf[:binary.BigEndian.Uint16(buf)]
	if _, err := io.ReadFull(conn, message); err != nil {
		return p.stream.failed("answer", err)
	}
	head, parser, ours := p.answer(message, id)
	if !ours {
		return errors.New("the answer is not one to the question")
	}
	return p.judge(head, parser)
}

// answer parses a message up to its records, and reports whether it is the answer to our
// question. Some servers repeat no question in the answer to a question that they
// refuse.
func (p *dnsProber) answer(message []byte, id uint16) (dnsmessage.Header, *dnsmessage.Parser, bool) {
	parser := new(dnsmessage.Parser)
	head, err := parser.Start(message)
	if err != nil || !head.Response || head.ID != id {
		return head, nil, false
	}
	questions, err := parser.AllQuestions()
	if err != nil {
		return head, nil, false
	}
	ours := slices.ContainsFunc(questions, func(q dnsmessage.Question) bool {
		return q.Type == p.question.Type && q.Class == p.question.Class && strings.EqualFold(q.Name.String(), p.question.Name.String())
	})
	return head, parser, ours || len(questions) == 0 && head.RCode != dnsmessage.RCodeSuccess
}

// judge returns what is wrong with an answer.
func (p *dnsProber) judge(head dnsmessage.Header, parser *dnsmessage.Parser) error {
	if code := codeName(head.RCode); !slices.Contains(p.settings.RCode, code) {
		return fmt.Errorf("DNS %s, want %s", code, strings.Join(p.settings.RCode, ", "))
	}
	if p.expect == nil && p.settings.MinAnswers == 0 {
		return nil
	}
	answers, err := parser.AllAnswers()
	if err != nil && !head.Truncated {
		return fmt.Errorf("answer: it is malformed: %w", err)
	}
	found := 0
	var texts []string
	for i := range answers {
		if t := answers[i].Header.Type; t != p.question.Type && p.question.Type != dnsmessage.TypeALL {
			continue
		}
		found++
		texts = append(texts, recordText(answers[i].Body))
	}
	if found < p.settings.MinAnswers {
		return fmt.Errorf("DNS answer has %d records of type %s, want at least %d", found, p.settings.Record, p.settings.MinAnswers)
	}
	if p.expect != nil && !slices.ContainsFunc(texts, p.expect.MatchString) {
		return fmt.Errorf("DNS answer %s does not match %q", excerpt([]byte(strings.Join(texts, ", "))), p.expect)
	}
	return nil
}

// recordText returns the data of a record as zone files write it (RFC 1035 §5.1), but
// the parts of a text joined and without quotes, and data of other types as RFC 3597 §5
// writes it.
func recordText(body dnsmessage.ResourceBody) string {
	switch r := body.(type) {
	case *dnsmessage.AResource:
		return netip.AddrFrom4(r.A).String()
	case *dnsmessage.AAAAResource:
		return netip.AddrFrom16(r.AAAA).String()
	case *dnsmessage.CNAMEResource:
		return r.CNAME.String()
	case *dnsmessage.NSResource:
		return r.NS.String()
	case *dnsmessage.PTRResource:
		return r.PTR.String()
	case *dnsmessage.MXResource:
		return fmt.Sprintf("%d %v", r.Pref, r.MX)
	case *dnsmessage.SRVResource:
		return fmt.Sprintf("%d %d %d %v", r.Priority, r.Weight, r.Port, r.Target)
	case *dnsmessage.SOAResource:
		return fmt.Sprintf("%v %v %d %d %d %d %d", r.NS, r.MBox, r.Serial, r.Refresh, r.Retry, r.Expire, r.MinTTL)
	case *dnsmessage.TXTResource:
		return strings.Join(r.TXT, "")
	case *dnsmessage.UnknownResource:
		return fmt.Sprintf(`\# %d %X`, len(r.Data), r.Data)
	}
	return ""
}
