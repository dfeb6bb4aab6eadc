package probe

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"holdfast/integration/tools"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// answerUDP serves datagrams until the test ends; nil is no answer.
func answerUDP(t *testing.T, address string, answers func(request []byte) [][]byte) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	answerOn(conn, answers)
	return conn.LocalAddr()
}

// answerOn answers requests until the connection is closed.
func answerOn(conn net.PacketConn, answers func(request []byte) [][]byte) {
	go func() {
		buf := make([]byte, 1<<16)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, a := range answers(buf[:n]) {
				conn.WriteTo(a, from)
			}
		}
	}()
}

// closedUDPPort returns an address where nobody takes datagrams. A socket that takes those of
// another peer keeps it while the test runs, so that nobody else comes to wait there.
func closedUDPPort(t *testing.T) net.Addr {
	t.Helper()
	peer := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, peer)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.LocalAddr()
}

func TestUDP(t *testing.T) {
	echo := func(b []byte) [][]byte { return [][]byte{append([]byte("you said "), b...)} }
	server, server6 := answerUDP(t, "127.0.0.1:0", echo), answerUDP(t, "[::1]:0", echo)
	silent := answerUDP(t, "127.0.0.1:0", func([]byte) [][]byte { return nil })
	empty := answerUDP(t, "127.0.0.1:0", func([]byte) [][]byte { return [][]byte{{}} })
	tests := []struct {
		name   string
		server net.Addr
		want   UDP
		reason string
	}{
		{"any answer", server, UDP{}, ""},
		{"over IPv6", server6, UDP{Send: "ping"}, ""},
		{"the answer matches", server, UDP{Send: "ping", Expect: "^you said ping$"}, ""},
		{"the answer does not", server, UDP{Send: "ping", Expect: "pong"}, `answer "you said ping" does not match "pong"`},
		{"an empty answer", empty, UDP{}, ""},
		{"an empty answer matches", empty, UDP{Expect: "^$"}, ""},
		{"the answer begins so", server, UDP{Send: "\xff\x80", ExpectHex: "79 6f xX 20"}, ""},
		{"the answer begins otherwise", server, UDP{Send: "\xff", ExpectHex: "796f7521"}, "answer 796f75207361696420ff does not begin with 796f7521"},
		{"the answer is shorter than its beginning", empty, UDP{ExpectHex: "xx"}, "answer  does not begin with xx"},
		{"a short answer", empty, UDP{MinLength: 1}, `answer "" has 0 bytes, want at least 1`},
		{"a long answer", server, UDP{MaxLength: 8}, `answer "you said " has 9 bytes, want at most 8`},
		{"of the right length", server, UDP{MinLength: 9, MaxLength: 9}, ""},
		{"silence was possible, but not this", server, UDP{SilenceOK: true, Expect: "a$"}, `answer "you said " does not match "a$"`},
		{"silence", silent, UDP{}, "answer: timeout after 500ms"},
		{"silence is golden", silent, UDP{SilenceOK: true}, ""},
		{"nobody listens", closedUDPPort(t), UDP{}, "answer: connection refused"},
		{"nor is that silence", closedUDPPort(t), UDP{SilenceOK: true}, "answer: connection refused"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := at(tt.server)
			if tt.server == silent {
				c.Timeout = hung
			}
			wantReason(t, ask(t, tt.want, c), tt.reason)
		})
	}
}

// stray is the reason of an attempt that gets datagrams which are no answer.
const stray = "answer: timeout after 500ms; what came was no answer to the question"

func TestDNS(t *testing.T) {
	// answer returns the reply to a packed query, changed by edit.
	answer := func(t *testing.T, query []byte, edit func(*dnsmessage.Message)) []byte {
		var m dnsmessage.Message
		if err := m.Unpack(query); err != nil {
			t.Errorf("query: %v", err)
			return nil
		}
		m.Response = true
		if edit != nil {
			edit(&m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return b
	}
	code := func(c dnsmessage.RCode) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) { m.RCode = c }
	}
	tests := []struct {
		name   string
		edits  []func(*dnsmessage.Message) // one for each datagram that answers
		reason string
	}{
		{"answered", []func(*dnsmessage.Message){nil}, ""},
		{"SERVFAIL", []func(*dnsmessage.Message){code(dnsmessage.RCodeServerFailure)}, "DNS SERVFAIL, want NOERROR"},
		{"a new code", []func(*dnsmessage.Message){code(12)}, "DNS code 12, want NOERROR"},
		{"silence", nil, "answer: timeout after 500ms"},
		{"the query comes back", []func(*dnsmessage.Message){func(m *dnsmessage.Message) { m.Response = false }}, stray},
		{"to another ID", []func(*dnsmessage.Message){func(m *dnsmessage.Message) { m.ID++ }}, stray},
		{"to another question", []func(*dnsmessage.Message){func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeTXT }}, stray},
		{"to another name", []func(*dnsmessage.Message){func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("b.") }}, stray},
		{"the right one comes second", []func(*dnsmessage.Message){func(m *dnsmessage.Message) { m.ID++ }, nil}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := at(answerUDP(t, "127.0.0.1:0", func(query []byte) (all [][]byte) {
				for _, edit := range tt.edits {
					all = append(all, answer(t, query, edit))
				}
				return all
			}))
			if strings.Contains(tt.reason, "timeout") {
				c.Timeout = hung
			}
			wantReason(t, ask(t, dnsOf("www.example.com", "AAAA"), c), tt.reason)
		})
	}
	t.Run("question", func(t *testing.T) {
		queries := make(chan dnsmessage.Message, 1)
		c := at(answerUDP(t, "127.0.0.1:0", func(query []byte) [][]byte {
			return [][]byte{answer(t, query, func(m *dnsmessage.Message) { queries <- *m })}
		}))
		wantReason(t, ask(t, defaultDNS, c), "")
		query := <-queries
		asked := query.Questions[0]
		if want := (dnsmessage.Question{Name: dnsmessage.MustNewName("."), Type: dnsmessage.TypeSOA, Class: dnsmessage.ClassINET}); asked != want {
			t.Errorf("asked %v, want %v", asked, want)
		}
		if !query.RecursionDesired {
			t.Error("recursion is not desired: a resolver would only say what it has cached")
		}
	})
}

// pingable skips a test where raw sockets need a right that it does not have.
func pingable(t *testing.T) {
	t.Helper()
	tools.Root(t, "open raw sockets")
}

// pinged returns the target of a ping.
func pinged(address string, dial Dial) Target {
	return Target{Address: netip.AddrPortFrom(netip.MustParseAddr(address), 0), Dial: dial, Timeout: 5 * time.Second}
}

func TestPing(t *testing.T) {
	pingable(t)
	for _, address := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		t.Run(address, func(t *testing.T) {
			wantReason(t, ask(t, Ping{}, pinged(address, Dial{})), "")
			wantReason(t, ask(t, Ping{Size: 1400}, pinged(address, Dial{})), "")
			wantReason(t, ask(t, Ping{Size: 60000}, pinged(address, Dial{})), "")
		})
	}
	t.Run("source", func(t *testing.T) {
		wantReason(t, ask(t, Ping{}, pinged("127.0.0.1", Dial{Source: netip.MustParseAddr("127.0.0.9")})), "")
		wantReason(t, ask(t, Ping{}, pinged("::1", Dial{Source: netip.MustParseAddr("::1")})), "")
	})
	t.Run("a source that is not here", func(t *testing.T) {
		wantReason(t, ask(t, Ping{}, pinged("127.0.0.1", Dial{Source: netip.MustParseAddr("192.0.2.1")})),
			"bind to source 192.0.2.1: cannot assign requested address")
	})
	t.Run("device", func(t *testing.T) {
		wantReason(t, ask(t, Ping{}, pinged("127.0.0.1", Dial{Device: "lo"})), "")
		wantReason(t, ask(t, Ping{}, pinged("127.0.0.1", Dial{Device: "no-such-device"})), "bind to device no-such-device: no such device")
	})
	t.Run("no reply", func(t *testing.T) {
		c := pinged("127.0.0.1", Dial{})
		c.Timeout = hung
		p := newProber(t, Ping{}, c).(*pingProber)
		p.to = netip.MustParseAddr("127.0.0.2")
		// The reply's source is not whom we asked, as far as the socket knows.
		p.socket.mu.Lock()
		if err := p.socket.start(); err != nil {
			t.Fatal(err)
		}
		p.socket.conn = misdirected{p.socket.conn}
		p.socket.mu.Unlock()
		wantReason(t, askWith(t, p, c.Timeout), "ping: timeout after 500ms")
		if n := len(p.socket.waiting); n != 0 {
			t.Errorf("%d requests are still awaited", n)
		}
	})
}

// misdirected sends everything to 127.0.0.1.
type misdirected struct{ net.PacketConn }

func (c misdirected) WriteTo(b []byte, _ net.Addr) (int, error) {
	return c.PacketConn.WriteTo(b, &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)})
}

// TestPingReplies is about which packets are the reply to a request.
func TestPingReplies(t *testing.T) {
	const id, seq, cookie = 7, 9, "\x00\x00\x00\x00\x00\x00\x00\x05"
	to := netip.MustParseAddr("192.0.2.1")
	tests := []struct {
		name    string
		from    string
		message icmp.Message
		want    bool
	}{
		{"reply", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte(cookie)}}, true},
		{"from another", "192.0.2.2", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte(cookie)}}, false},
		{"a request", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte(cookie)}}, false},
		{"another ID", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id + 1, Seq: seq, Data: []byte(cookie)}}, false},
		{"another number", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id, Seq: seq + 1, Data: []byte(cookie)}}, false},
		{"another cookie", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte("\x00\x00\x00\x00\x00\x00\x00\x06")}}, false},
		{"no cookie", "192.0.2.1", icmp.Message{Type: ipv4.ICMPTypeEchoReply, Body: &icmp.Echo{ID: id, Seq: seq}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &echo{size: minPing, to: to, cookie: 5, done: make(chan struct{})}
			s := &pingSocket{id: id, waiting: map[uint16]*echo{seq: e}}
			packet, err := tt.message.Marshal(nil)
			if err != nil {
				t.Fatal(err)
			}
			s.replied(netip.MustParseAddr(tt.from), packet)
			select {
			case <-e.done:
				if !tt.want {
					t.Error("taken for the reply")
				}
			default:
				if tt.want {
					t.Error("not taken for the reply")
				}
			}
		})
	}
}

// TestPingReplyWithoutZone: a reply comes from the address alone.
func TestPingReplyWithoutZone(t *testing.T) {
	e := &echo{size: minPing, to: netip.MustParseAddr("fe80::1%eth0"), done: make(chan struct{})}
	s := &pingSocket{key: pingKey{v6: true}, waiting: map[uint16]*echo{1: e}}
	m := icmp.Message{Type: ipv6.ICMPTypeEchoReply, Body: &icmp.Echo{Seq: 1, Data: make([]byte, 8)}}
	packet, err := m.Marshal(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.replied(netip.MustParseAddr("fe80::1"), packet)
	select {
	case <-e.done:
	default:
		t.Error("not taken for the reply")
	}
}

// TestPingSocketIsShared by checks that go the same way, and closed with the
// last of them.
func TestPingSocketIsShared(t *testing.T) {
	pingable(t)
	tools := new(Tools)
	ping := func(address string, dial Dial) *pingProber {
		return tools.Prober(Ping{}, pinged(address, dial)).(*pingProber)
	}
	a, b := ping("127.0.0.1", Dial{}), ping("127.0.0.2", Dial{})
	v6, marked := ping("::1", Dial{}), ping("127.0.0.1", Dial{Mark: 7})
	if a.socket != b.socket || a.socket == v6.socket || a.socket == marked.socket {
		t.Error("sockets are shared otherwise than by family and way")
	}
	for _, p := range []*pingProber{a, b, v6, marked} {
		wantReason(t, askWith(t, p, 5*time.Second), "")
	}
	a.Close()
	wantReason(t, askWith(t, b, 5*time.Second), "")
	for _, p := range []*pingProber{b, v6, marked} {
		p.Close()
	}
	if n := len(tools.pings.open); n != 0 {
		t.Errorf("%d sockets are still open", n)
	}
	wantReason(t, askWith(t, b, 5*time.Second), "ping: use of closed network connection")
}

// TestPingSocketComesBack after an error, as when its device was gone.
func TestPingSocketComesBack(t *testing.T) {
	pingable(t)
	c := pinged("127.0.0.1", Dial{})
	p := newProber(t, Ping{}, c).(*pingProber)
	wantReason(t, askWith(t, p, 5*time.Second), "")
	p.socket.mu.Lock()
	p.socket.conn.Close()
	p.socket.mu.Unlock()
	p.socket.reader.Wait()
	wantReason(t, askWith(t, p, 5*time.Second), "")
}
