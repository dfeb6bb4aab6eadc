package probe

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// TestDNSAnswers is about the records of an answer, over UDP and over TCP.
func TestDNSAnswers(t *testing.T) {
	header := func(t dnsmessage.Type) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName("www.example.com."), Type: t, Class: dnsmessage.ClassINET, TTL: 60}
	}
	name := dnsmessage.MustNewName("a.example.com.")
	records := map[dnsmessage.Type][]dnsmessage.Resource{
		dnsmessage.TypeA: {
			{Header: header(dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: name}},
			{Header: header(dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 1}}},
			{Header: header(dnsmessage.TypeA), Body: &dnsmessage.AResource{A: [4]byte{192, 0, 2, 2}}},
		},
		dnsmessage.TypeAAAA:  {{Header: header(dnsmessage.TypeAAAA), Body: &dnsmessage.AAAAResource{AAAA: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}}}},
		dnsmessage.TypeCNAME: {{Header: header(dnsmessage.TypeCNAME), Body: &dnsmessage.CNAMEResource{CNAME: name}}},
		dnsmessage.TypeNS:    {{Header: header(dnsmessage.TypeNS), Body: &dnsmessage.NSResource{NS: name}}},
		dnsmessage.TypePTR:   {{Header: header(dnsmessage.TypePTR), Body: &dnsmessage.PTRResource{PTR: name}}},
		dnsmessage.TypeMX:    {{Header: header(dnsmessage.TypeMX), Body: &dnsmessage.MXResource{Pref: 10, MX: name}}},
		dnsmessage.TypeSRV:   {{Header: header(dnsmessage.TypeSRV), Body: &dnsmessage.SRVResource{Priority: 1, Weight: 2, Port: 443, Target: name}}},
		dnsmessage.TypeSOA:   {{Header: header(dnsmessage.TypeSOA), Body: &dnsmessage.SOAResource{NS: name, MBox: name, Serial: 1, Refresh: 2, Retry: 3, Expire: 4, MinTTL: 5}}},
		dnsmessage.TypeTXT:   {{Header: header(dnsmessage.TypeTXT), Body: &dnsmessage.TXTResource{TXT: []string{"v=spf1 ", "-all"}}}},
		257:                  {{Header: header(257), Body: &dnsmessage.UnknownResource{Type: 257, Data: []byte{0, 5}}}},
	}
	reply := func(query []byte, truncate bool) []byte {
		var m dnsmessage.Message
		if m.Unpack(query) != nil {
			return nil
		}
		m.Response = true
		m.Answers = slices.Clone(records[m.Questions[0].Type]) // Pack writes into them
		if truncate {
			m.Truncated, m.Answers = true, nil
		}
		b, _ := m.Pack()
		return b
	}
	var short atomic.Bool
	l, udp := listenBoth(t)
	answerOn(udp, func(query []byte) [][]byte { return [][]byte{reply(query, short.Load())} })
	var streams atomic.Int32
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			streams.Add(1)
			go answerStream(conn, reply)
		}
	}()
	tests := []struct {
		name string
		s    func() DNS
		want string
	}{
		{"A", expecting("A", `^192\.0\.2\.2$`), ""},
		{"another A", expecting("A", `^192\.0\.2\.3$`), `DNS answer "192.0.2.1, 192.0.2.2" does not match "^192\\.0\\.2\\.3$"`},
		{"a CNAME is no A", expecting("A", `^a\.`), `DNS answer "192.0.2.1, 192.0.2.2" does not match "^a\\."`},
		{"AAAA", expecting("AAAA", "^2001:db8::1$"), ""},
		{"CNAME", expecting("CNAME", `^a\.example\.com\.$`), ""},
		{"NS", expecting("NS", `^a\.example\.com\.$`), ""},
		{"PTR", expecting("PTR", `^a\.example\.com\.$`), ""},
		{"MX", expecting("MX", `^10 a\.example\.com\.$`), ""},
		{"SRV", expecting("SRV", `^1 2 443 a\.example\.com\.$`), ""},
		{"SOA", expecting("SOA", `^a\.example\.com\. a\.example\.com\. 1 2 3 4 5$`), ""},
		{"TXT", expecting("TXT", `^v=spf1 -all$`), ""},
		{"another type", expecting("CAA", `^\\# 2 0005$`), ""},
		{"none", expecting("DS", "."), `DNS answer "" does not match "."`},
		{"two", func() DNS { s := dnsOf("www.example.com", "A"); s.MinAnswers = 2; return s }, ""},
		{"not three", func() DNS { s := dnsOf("www.example.com", "A"); s.MinAnswers = 3; return s }, "DNS answer has 2 records of type A, want at least 3"},
		{"not without a question", func() DNS { s := dnsOf("www.example.com", "A"); s.RCode = []string{"NXDOMAIN", "REFUSED"}; return s }, "DNS NOERROR, want NXDOMAIN, REFUSED"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.s()
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
			s.TCP = true
			wantReason(t, ask(t, s, at(l.Addr())), tt.want)
		})
	}
	t.Run("truncated", func(t *testing.T) {
		short.Store(true)
		before := streams.Load()
		wantReason(t, ask(t, expecting("A", "^192")(), at(l.Addr())), "")
		if n := streams.Load() - before; n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
		wantReason(t, ask(t, dnsOf("www.example.com", "A"), at(l.Addr())), "")
		if n := streams.Load() - before; n != 1 {
			t.Error("records that nobody wants are asked for over TCP")
		}
		l.Close()
		wantReason(t, ask(t, expecting("A", "^192")(), at(l.Addr())), "over TCP, because the answer over UDP is truncated: connect: connection refused")
	})
	t.Run("class and recursion", func(t *testing.T) {
		queries := make(chan dnsmessage.Message, 1)
		server := answerUDP(t, "127.0.0.1:0", func(query []byte) [][]byte {
			var m dnsmessage.Message
			if m.Unpack(query) == nil {
				queries <- m
			}
			return [][]byte{reply(query, false)}
		})
		s := dnsOf("id.server", "TXT")
		s.Class, s.Recursion = "CH", false
		wantReason(t, ask(t, s, at(server)), "")
		m := <-queries
		if m.Questions[0].Class != dnsmessage.ClassCHAOS || m.RecursionDesired {
			t.Errorf("asked %v, recursion %v", m.Questions[0], m.RecursionDesired)
		}
	})
}

// listenBoth listens on one port for TCP and UDP. A port that is free for the one may be taken
// for the other.
func listenBoth(t *testing.T) (net.Listener, net.PacketConn) {
	t.Helper()
	for {
		l := listen(t, "127.0.0.1:0")
		conn, err := net.ListenPacket("udp", l.Addr().String())
		switch {
		case err == nil:
			t.Cleanup(func() { conn.Close() })
			return l, conn
		case !errors.Is(err, unix.EADDRINUSE):
			t.Fatal(err)
		}
	}
}

func expecting(record, pattern string) func() DNS {
	return func() DNS {
		s := dnsOf("www.example.com", record)
		s.Expect = pattern
		return s
	}
}

// answerStream answers one question over TCP.
func answerStream(conn net.Conn, reply func([]byte, bool) []byte) {
	defer conn.Close()
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, query); err != nil {
		return
	}
	answer := reply(query, false)
	conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer))))
	conn.Write(answer)
}

// TestDNSStreamFaults is about servers that answer over TCP as they should not.
func TestDNSStreamFaults(t *testing.T) {
	for answer, want := range map[string]string{
		"":                    "answer: the server closed the connection too early",
		"\x00\x20short":       "answer: the server closed the connection too early",
		"\x00\x05other":       "the answer is not one to the question",
		"HTTP/1.1 400 No\r\n": "answer: the server closed the connection too early",
	} {
		c := answerAll(t, func(conn net.Conn) {
			io.ReadFull(conn, make([]byte, 2+12+5))
			io.WriteString(conn, answer)
			conn.(*net.TCPConn).CloseWrite()
			io.Copy(io.Discard, conn)
		})
		c.Timeout = 5 * time.Second
		s := defaultDNS
		s.TCP = true
		wantReason(t, ask(t, s, c), want)
	}
}
