package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// Redis sends PING to a Redis server, or to one that speaks its protocol, such as
// Valkey. https://redis.io/docs/latest/develop/reference/protocol-spec/
type Redis struct {
	Login        // Password without User is that of the default user
	Role  string // "any", "master" or "replica"
	TLS   *TLS   // nil: without TLS
}

var defaultRedis = Redis{Role: "any"}

// Kind returns "redis".
func (Redis) Kind() string { return "redis" }

// Needs returns NeedsPort.
func (Redis) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s Redis) Validate() FieldErrors {
	var errs FieldErrors
	switch s.Role {
	case "any", "master", "replica":
	default:
		errs.Addf("role", `must be "any", "master" or "replica", not %q`, s.Role)
	}
	s.TLS.validate(&errs)
	return errs
}

func (s Redis) prober(_ *Tools, to Target) Prober {
	p := &redisProber{Dialer: NewDialer(to, s.TLS, ""), role: s.Role}
	switch {
	case s.User != "":
		p.add("AUTH", s.User, string(s.Password))
	case s.Password != "":
		p.add("AUTH", string(s.Password))
	}
	p.add("PING")
	if s.Role != "any" {
		p.add("INFO", "replication")
	}
	return p
}

// A redisProber sends all commands at once and reads one reply to each.
type redisProber struct {
	*Dialer
	role     string
	commands []string // the names
	request  []byte
}

// add adds a command with its arguments to the request.
func (p *redisProber) add(command ...string) {
	p.commands = append(p.commands, command[0])
	p.request = fmt.Appendf(p.request, "*%d\r\n", len(command))
	for _, word := range command {
		p.request = fmt.Appendf(p.request, "$%d\r\n%s\r\n", len(word), word)
	}
}

// Probe implements Prober.
func (p *redisProber) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	conn, err := p.Secure(raw)
	if err != nil {
		return err
	}
	if _, err := conn.Write(p.request); err != nil {
		return raw.Failed("request", err)
	}
	return p.judge(raw, conn)
}

func (p *redisProber) judge(raw *Conn, conn net.Conn) error {
	r := bufio.NewReaderSize(conn, 4<<10)
	for _, command := range p.commands {
		reply, err := redisReply(r)
		switch refused := redisError(""); {
		case errors.As(err, &refused):
			return fmt.Errorf("%s: %w", redisStep(command), err)
		case err != nil:
			return raw.Failed(redisStep(command), err)
		case command == "PING" && reply != "PONG":
			return fmt.Errorf("PING: answer %s, want PONG", excerpt([]byte(reply)))
		case command == "INFO":
			return p.judgeRole(reply)
		}
	}
	return nil
}

// redisStep returns how reasons name a command.
func redisStep(command string) string {
	switch command {
	case "AUTH":
		return "login"
	case "INFO":
		return "role"
	}
	return command
}

// judgeRole looks for the role in the answer to INFO. Redis calls a replica "slave"
// there.
func (p *redisProber) judgeRole(info string) error {
	for line := range strings.Lines(info) {
		role, found := strings.CutPrefix(strings.TrimSpace(line), "role:")
		if !found {
			continue
		}
		if role == "slave" {
			role = "replica"
		}
		if role != p.role {
			return fmt.Errorf("role: the server is a %s, want %s", role, p.role)
		}
		return nil
	}
	return errors.New("role: the server does not tell its role")
}

// A redisError is an error that the server answered.
type redisError string

// Error returns the first sentence. That of a server in protected mode goes on for 900
// bytes.
func (e redisError) Error() string {
	sentence, _, more := strings.Cut(string(e), ". ")
	if more {
		return sentence
	}
	return string(e)
}

// redisReply reads one reply: a simple string, an error or a bulk string.
func redisReply(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errors.New("the answer is not that of a Redis server: it begins with a long line")
	}
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(line), "\r\n")
	switch {
	case strings.HasPrefix(text, "+"):
		return text[1:], nil
	case strings.HasPrefix(text, "-"):
		return "", redisError(text[1:])
	case strings.HasPrefix(text, "$"):
		return redisBulk(r, text[1:])
	}
	return "", fmt.Errorf("the answer %s is not that of a Redis server", excerpt(line))
}

// redisBulk reads the rest of a bulk string with a length in digits. What is
// asked here is shorter than 64 KiB.
func redisBulk(r *bufio.Reader, digits string) (string, error) {
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return "", fmt.Errorf("the answer has the length %s", excerpt([]byte(digits)))
	}
	bulk := make([]byte, n+2)
	if _, err := io.ReadFull(r, bulk); err != nil {
		return "", err
	}
	return string(bulk[:n]), nil
}
