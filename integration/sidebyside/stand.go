package sidebyside

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// serve starts a stand-in for a realserver: "http", "https", "smtp", "tcp" or "udp" with
// an address and port; "ping" with an address that exists; "program" with the path of a
// program that succeeds.
func (s *side) serve(t *testing.T, server string) {
	t.Helper()
	kind, address, _ := strings.Cut(server, " ")
	switch kind {
	case "program":
		_ = os.Remove(s.dir + address + ".dead")
		s.servers[server] = func() { _ = os.WriteFile(s.dir+address+".dead", nil, 0o644) }
		return
	case "udp":
		s.attach(t, address)
		s.servers[server] = s.serveUDP(t, address)
		return
	case "ping":
		s.attach(t, address)
		host, _, _ := net.SplitHostPort(address)
		s.servers[server] = func() { s.Run("ip", "address", "del", host+"/32", "dev", "lo") }
		return
	}
	s.attach(t, address)
	listener := s.Listen(address)
	switch kind {
	case "http":
		s.servers[server] = serveHTTP(listener)
	case "https":
		s.servers[server] = serveHTTP(tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate()}}))
	default:
		s.servers[server] = serveTCP(listener, kind == "smtp")
	}
}

// attach gives the host the address of a server.
func (s *side) attach(t *testing.T, address string) {
	t.Helper()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.Run("ip", "-o", "address"), " "+host+"/") {
		length := "/32"
		if strings.Contains(host, ":") {
			length = "/128"
		}
		s.Address("lo", host+length)
	}
}

func serveHTTP(listener net.Listener) func() {
	server := &http.Server{ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), Handler: http.HandlerFunc(
		func(out http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(out, page) })}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(listener) })
	return func() { _ = server.Close(); done.Wait() }
}

// serveTCP accepts connections, and talks SMTP on them if smtp is set.
func serveTCP(listener net.Listener, smtp bool) func() {
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			go func() {
				defer conn.Close()
				if smtp {
					talkSMTP(conn)
				}
			}()
		}
	})
	return func() { _ = listener.Close(); done.Wait() }
}

func talkSMTP(conn net.Conn) {
	fmt.Fprint(conn, "220 stand.in ESMTP\r\n")
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		if strings.EqualFold(lines.Text(), "QUIT") {
			fmt.Fprint(conn, "221 bye\r\n")
			return
		}
		fmt.Fprint(conn, "250 well\r\n")
	}
}

func (s *side) serveUDP(t *testing.T, address string) func() {
	t.Helper()
	var socket net.PacketConn
	err := s.Do(func() (err error) {
		var config net.ListenConfig
		socket, err = config.ListenPacket(context.Background(), "udp", address)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	done.Go(func() {
		buffer := make([]byte, 2048)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = socket.WriteTo(buffer[:n], from)
		}
	})
	return func() { _ = socket.Close(); done.Wait() }
}

// certificate is one that nobody has signed, as keepalived does not ask.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})
