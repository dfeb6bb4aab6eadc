package probe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// dialects are checks of the kinds that read a stream by themselves.
var dialects = []Settings{defaultRedis, Memcached{Command: "stats"}, defaultMQTT, GRPC{}}

// answerAll starts a server that treats every connection alike.
func answerAll(t *testing.T, treat func(net.Conn)) Target {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				treat(conn)
			}()
		}
	}()
	return at(l.Addr())
}

// A server that never ends its answer is down, after a bounded number of bytes.
func TestEndlessAnswer(t *testing.T) {
	for _, s := range dialects {
		for name, piece := range map[string]string{"line": "STAT a 1\r\n", "byte": "x"} {
			t.Run(s.Kind()+" "+name, func(t *testing.T) {
				to := answerAll(t, func(conn net.Conn) {
					for block := []byte(strings.Repeat(piece, 1000)); ; {
						if _, err := conn.Write(block); err != nil {
							return
						}
					}
				})
				if got := ask(t, s, to); got == "" || strings.Contains(got, "timeout") {
					t.Errorf("reason %q", got)
				}
			})
		}
	}
	to := answerAll(t, func(conn net.Conn) {
		for {
			if _, err := io.WriteString(conn, "STAT a 1\r\n"); err != nil {
				return
			}
		}
	})
	wantReason(t, ask(t, Memcached{Command: "stats"}, to), "stats: the server sent more than 1024 KiB")
}

// A server that sends one byte now and then does not lengthen the check.
func TestTricklingAnswer(t *testing.T) {
	for _, s := range dialects {
		t.Run(s.Kind(), func(t *testing.T) {
			to := answerAll(t, func(conn net.Conn) {
				for _, err := conn.Write([]byte("+")); err == nil; _, err = conn.Write([]byte("P")) {
					time.Sleep(50 * time.Millisecond)
				}
			})
			to.Timeout = hung
			begun := time.Now()
			if got := ask(t, s, to); got == "" {
				t.Error("well")
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("the attempt took %v", took)
			}
		})
	}
}

// No library can lengthen an attempt: a Conn has the deadline of the attempt alone.
func TestConnKeepsItsDeadline(t *testing.T) {
	to := at(listen(t, "127.0.0.1:0").Addr())
	ctx, cancel := context.WithCancel(t.Context())
	conn, err := NewDialer(to, nil, "").Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Fatal("read from a silent server")
	}
	failed := make(chan error)
	go func() {
		_ = conn.SetDeadline(time.Time{})
		_, err := conn.Read(make([]byte, 1))
		failed <- conn.Failed("answer", err)
	}()
	select {
	case err := <-failed:
		wantReason(t, err.Error(), "answer: timeout after 5s")
	case <-time.After(3 * time.Second):
		t.Error("the attempt goes on")
	}
}

// Attempts that succeed and fail leave no goroutine and no descriptor behind.
func TestNothingIsLeft(t *testing.T) {
	well := grpcServer(t)
	closed := answerAll(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
	round := func() {
		wantReason(t, ask(t, GRPC{}, well), "")
		for _, s := range dialects {
			ask(t, s, closed)
		}
	}
	round() // which opens what stays open: the poller
	quiet := func() (goroutines, descriptors int) {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(entries)
	}
	goroutines, descriptors := quiet()
	for range 20 {
		round()
	}
	// The servers notice the end of their last connections a little later.
	for end := time.Now().Add(5 * time.Second); ; {
		g, d := quiet()
		if g <= goroutines+3 && d <= descriptors+3 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestRADIUSVerify(t *testing.T) {
	p := &radiusProber{RADIUS: RADIUS{Secret: "sesame", NASIdentifier: "x"}}
	request := p.request()
	if request[radiusHead] != radiusMessageAuthenticator {
		t.Errorf("the first attribute has the type %d", request[radiusHead])
	}
	sent := bytes.Clone(request[radiusHead+2 : radiusHead+18])
	clear(request[radiusHead+2 : radiusHead+18])
	if !bytes.Equal(sent, p.authenticator(request)) {
		t.Error("the Message-Authenticator of the request is wrong")
	}
	tests := []struct {
		name   string
		strict bool
		answer []byte
		reason string // "": it is the answer
	}{
		{"plain", false, radiusAnswer(p, request, false), ""},
		{"authenticated", true, radiusAnswer(p, request, true), ""},
		{"plain, though it must not be", true, radiusAnswer(p, request, false), "answer: it has no Message-Authenticator"},
		{"another secret", false, radiusAnswer(&radiusProber{RADIUS: RADIUS{Secret: "open"}}, request, true),
			"answer: its authenticator is wrong, as with another secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p.Authenticated = tt.strict
			got, err := p.verify(tt.answer, request)
			switch {
			case tt.reason == "" && got == nil:
				t.Errorf("not the answer: %v", err)
			case tt.reason != "" && (err == nil || err.Error() != tt.reason):
				t.Errorf("error %v, want %s", err, tt.reason)
			}
		})
	}
	forged := radiusAnswer(p, request, true)
	forged[radiusHead+2]++
	copy(forged[4:radiusHead], request[4:radiusHead])
	copy(forged[4:radiusHead], p.responseAuthenticator(forged))
	if got, err := p.verify(forged, request); got != nil || err == nil || err.Error() != "answer: its Message-Authenticator is wrong" {
		t.Errorf("an answer with a wrong Message-Authenticator: %v, %v", got, err)
	}
	other := radiusAnswer(p, request, true)
	other[1]++
	if got, err := p.verify(other, request); got != nil || err != nil {
		t.Errorf("an answer to another request: %v, %v", got, err)
	}
}

// radiusAnswer returns an Access-Accept to a request.
func radiusAnswer(p *radiusProber, request []byte, authenticated bool) []byte {
	b := append([]byte{radiusAccessAccept, request[1], 0, 0}, request[4:radiusHead]...)
	if authenticated {
		b = radiusAttribute(b, radiusMessageAuthenticator, make([]byte, 16))
	}
	b = radiusAttribute(b, radiusReplyMessage, []byte("hello"))
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	if authenticated {
		copy(b[radiusHead+2:], p.authenticator(b))
	}
	copy(b[4:radiusHead], p.responseAuthenticator(b))
	return b
}

func TestConnack(t *testing.T) {
	tests := []struct {
		name, packet string
		five         bool
		want         string
	}{
		{"accepted", "\x20\x02\x00\x00", false, ""},
		{"refused", "\x20\x02\x00\x04", false, "wrong user or password"},
		{"refused by an unknown code", "\x20\x02\x00\x63", false, "refused with code 99"},
		{"busy", "\x20\x03\x00\x89\x00", true, "the broker is busy"},
		{"with a reason", "\x20\x0a\x00\x87\x07\x1f\x00\x04nope", true, "not authorized (nope)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, detail, err := readConnack(bufio.NewReader(strings.NewReader(tt.packet)), tt.five)
			got := ""
			if code != 0 {
				got = (&mqttProber{five: tt.five}).reason(code) + detail
			}
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// FuzzAnswers throws arbitrary bytes at what reads answers.
func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{"+PONG\r\n", "-ERR no\r\n", "$3\r\nabc\r\n", "\x20\x02\x00\x00", "\x20\x0a\x00\x87\x07\x1f\x00\x04nope",
		"\x00\x00\x00\x00\x02\x08\x01", "\x02\x00\x00\x14" + strings.Repeat("\x00", 16)} {
		f.Add([]byte(seed))
	}
	radius := &radiusProber{RADIUS: RADIUS{Secret: "sesame", NASIdentifier: "x"}}
	request := radius.request()
	f.Fuzz(func(t *testing.T, answer []byte) {
		reader := func() *bufio.Reader { return bufio.NewReader(bytes.NewReader(answer)) }
		if text, err := redisReply(reader()); err == nil && len(text) > len(answer) {
			t.Errorf("%q of %q", text, answer)
		}
		_, _, _ = readConnack(reader(), true)
		if status, err := grpcStatus(answer); err == nil && status == 1 && !bytes.Contains(answer, []byte{8, 1}) {
			t.Errorf("% x is SERVING", answer)
		}
		if got, _ := radius.verify(answer, request); got != nil {
			t.Errorf("% x is an answer", answer)
		}
		if len(answer) >= radiusHead {
			radiusValue(answer, radiusReplyMessage)
		}
	})
}
