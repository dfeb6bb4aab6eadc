package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Listen opens a TCP listener in the host.
func (h *Host) Listen(address string) net.Listener {
	h.lab.t.Helper()
	var listener net.Listener
	err := h.Do(func() (err error) {
		var config net.ListenConfig
		listener, err = config.Listen(context.Background(), "tcp", address)
		return err
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: %v", h.Name, err)
	}
	return listener
}

// Dial opens a TCP connection from the host to a numeric address.
func (h *Host) Dial(address string, limit time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := h.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", address, scaled(limit))
		return err
	})
	return conn, err
}

// A Web is a realserver that answers every request with its name, and with
// the status that is set.
type Web struct {
	Name     string
	status   atomic.Int64
	requests atomic.Int64
	server   *http.Server
	done     sync.WaitGroup
}

// ServeHTTP starts a realserver on a host. It answers with status 200.
func (h *Host) ServeHTTP(address string) *Web {
	h.lab.t.Helper()
	w := &Web{Name: h.Name}
	w.status.Store(http.StatusOK)
	w.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(
		func(out http.ResponseWriter, _ *http.Request) {
			w.requests.Add(1)
			out.WriteHeader(int(w.status.Load()))
			_, _ = io.WriteString(out, w.Name)
		})}
	listener := h.Listen(address)
	w.done.Go(func() { _ = w.server.Serve(listener) })
	h.lab.t.Cleanup(w.Close)
	return w
}

// SetStatus makes the realserver answer with another HTTP status.
func (w *Web) SetStatus(status int) { w.status.Store(int64(status)) }

// Requests counts what has been asked.
func (w *Web) Requests() int { return int(w.requests.Load()) }

// Close makes the realserver refuse connections and ends those it has.
func (w *Web) Close() {
	_ = w.server.Close()
	w.done.Wait()
}

// Get asks for a page over a connection of its own, and returns the answer's
// status and body.
func (h *Host) Get(address string, limit time.Duration) (int, string, error) {
	client := http.Client{
		Timeout: scaled(limit),
		Transport: &http.Transport{
			DisableKeepAlives: true,
			DialContext: func(_ context.Context, _, to string) (net.Conn, error) {
				return h.Dial(to, limit)
			},
		},
	}
	answer, err := client.Get("http://" + address + "/")
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// AwaitServers asks until just these realservers have answered, each at least
// once in a row of 4 times as many requests.
func (h *Host) AwaitServers(t T, limit time.Duration, address string, names ...string) {
	t.Helper()
	Wait(t, limit, fmt.Sprintf("answers of %v at %s", names, address), func() (string, bool) {
		seen := map[string]int{}
		for range 4 * max(1, len(names)) {
			_, body, err := h.Get(address, time.Second)
			if err != nil {
				body = "error: " + err.Error()
			}
			seen[body]++
		}
		all := len(seen) == len(names)
		for _, name := range names {
			all = all && seen[name] > 0
		}
		return fmt.Sprint(seen), all
	})
}

// ServeLines starts a server that sends every line back with the host's name
// before it.
func (h *Host) ServeLines(address string) {
	h.lab.t.Helper()
	listener := h.Listen(address)
	ctx, end := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			conns.Go(func() {
				defer stop()
				defer conn.Close()
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					if _, err := fmt.Fprintf(conn, "%s %s\n", h.Name, lines.Text()); err != nil {
						return
					}
				}
			})
		}
	})
	h.lab.t.Cleanup(func() {
		_ = listener.Close()
		end()
		conns.Wait()
	})
}

// A Conversation is one TCP connection to a server of ServeLines.
type Conversation struct {
	conn   net.Conn
	reader *bufio.Reader
	lines  int
}

// Converse opens a connection.
func (h *Host) Converse(t T, address string) *Conversation {
	t.Helper()
	conn, err := h.Dial(address, 5*time.Second)
	if err != nil {
		t.Fatalf("host %s: %v", h.Name, err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &Conversation{conn: conn, reader: bufio.NewReader(conn)}
}

// Say sends one line and returns the name of the server that answered it. The
// connection is dead when it fails.
func (c *Conversation) Say(limit time.Duration) (server string, err error) {
	if err := c.conn.SetDeadline(time.Now().Add(scaled(limit))); err != nil {
		return "", err
	}
	c.lines++
	word := fmt.Sprintf("line-%d", c.lines)
	if _, err := fmt.Fprintln(c.conn, word); err != nil {
		return "", err
	}
	answer, err := c.reader.ReadString('\n')
	if err != nil {
		return "", err
	}
	name, echo, ok := strings.Cut(strings.TrimSpace(answer), " ")
	if !ok || echo != word {
		return "", errors.New("wrong answer " + answer)
	}
	return name, nil
}

// Close ends the connection.
func (c *Conversation) Close() { _ = c.conn.Close() }

// Lines counts the lines said.
func (c *Conversation) Lines() int { return c.lines }
