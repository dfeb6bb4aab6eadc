package probe

import (
	"bufio"
	"encoding/binary"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
)

// FuzzEchoReply throws arbitrary packets at what reads echo replies: only one
// that comes from whom was asked, with the number and the secret of the
// request, ends the wait for it.
func FuzzEchoReply(f *testing.F) {
	const id, seq, cookie = 0x1234, 7, 0x0102030405060708
	from := netip.MustParseAddr("192.0.2.1")
	body := &icmp.Echo{ID: id, Seq: seq, Data: binary.BigEndian.AppendUint64(nil, cookie)}
	good, err := (&icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: body}).Marshal(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, false)
	f.Add(good, true)
	f.Add([]byte{129, 0, 0, 0, 0x12, 0x34, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8}, true)
	f.Fuzz(func(t *testing.T, packet []byte, v6 bool) {
		e := &echo{size: minPing, to: from, cookie: cookie, done: make(chan struct{})}
		s := &pingSocket{key: pingKey{v6: v6}, id: id, waiting: map[uint16]*echo{seq: e}}
		s.replied(netip.MustParseAddr("192.0.2.2"), packet)
		if len(s.waiting) == 0 {
			t.Fatal("taken from another host")
		}
		s.replied(from, packet)
		if len(s.waiting) > 0 {
			return
		}
		if len(packet) != 16 || binary.BigEndian.Uint16(packet[4:]) != id || binary.BigEndian.Uint16(packet[6:]) != seq ||
			binary.BigEndian.Uint64(packet[8:]) != cookie {
			t.Errorf("taken for the reply: % x", packet)
		}
	})
}

// FuzzDNSAnswer throws arbitrary datagrams at what reads answers: one to
// another question is none, and none but NOERROR is well.
func FuzzDNSAnswer(f *testing.F) {
	question := dnsmessage.Question{
		Name: dnsmessage.MustNewName("example.com."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}
	for _, code := range []dnsmessage.RCode{dnsmessage.RCodeSuccess, dnsmessage.RCodeNameError} {
		m := dnsmessage.Message{
			Header:    dnsmessage.Header{ID: 9, Response: true, RCode: code},
			Questions: []dnsmessage.Question{question},
		}
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	p := &dnsProber{settings: dnsOf("example.com", "A"), question: question, expect: regexp.MustCompile("^192")}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		head, parser, ours := p.answer(datagram, 9)
		if !ours {
			return
		}
		if len(datagram) < 12 || binary.BigEndian.Uint16(datagram) != 9 || datagram[2]&0x80 == 0 {
			t.Errorf("taken for the answer: % x", datagram)
		}
		if err := p.judge(head, parser); err == nil && datagram[3]&0x0f != 0 {
			t.Errorf("code %d is well", datagram[3]&0x0f)
		}
	})
}

// FuzzReply throws arbitrary bytes at what reads replies of SMTP, FTP and NNTP, and
// lines of IMAP. Each byte is read once, and a reply has a code and the text of at
// least one line.
func FuzzReply(f *testing.F) {
	f.Add("250-one\r\n250 two\r\n")
	f.Add("230-\nfree text\n230\n")
	f.Add("* OK {3}\r\nabc rest\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		replies, lines := reading(text), reading(text)
		for {
			r, err := replies.reply()
			if err != nil {
				break
			}
			if r.code < 1 || r.code > 999 || len(r.lines) == 0 {
				t.Errorf("reply %v of %q", r, text)
			}
		}
		for {
			line, err := lines.imapLine()
			if err != nil {
				break
			}
			if len(line) >= len(text) || strings.ContainsRune(line, '\n') {
				t.Errorf("line %q of %q", line, text)
			}
		}
	})
}

// reading returns a talk with a server that says text and goes.
func reading(text string) *talk {
	d := NewDialer(Target{}, nil, "")
	return &talk{dialer: d, conn: &Conn{dialer: d}, in: bufio.NewReader(strings.NewReader(text))}
}

// FuzzSIPAnswer throws arbitrary bytes at what reads messages of SIP: the answer has
// the Call-ID of the request and a final code.
func FuzzSIPAnswer(f *testing.F) {
	f.Add("SIP/2.0 200 OK\r\nCall-ID: 1f\r\n\r\n")
	f.Add("\r\nSIP/2.0 100 Trying\r\ni: 1f\r\nl: 3\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := readSIP(bufio.NewReader(strings.NewReader(text)))
		if err == nil && m.isTo("1f") && (m.code < 200 || m.code > 699 || !strings.Contains(text, "1f")) {
			t.Errorf("taken for the answer: %q", text)
		}
	})
}
