// Package postgresql is the client of the checks of type postgresql.
package postgresql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"holdfast/checker/probe"
)

// New returns the Prober for settings of type probe.PostgreSQL.
func New(settings probe.Settings, to probe.Target) probe.Prober {
	s := settings.(probe.PostgreSQL)
	return &prober{Dialer: probe.NewDialer(to, s.TLS, ""), settings: s, expect: s.Expected()}
}

type prober struct {
	*probe.Dialer
	settings probe.PostgreSQL
	expect   *regexp.Regexp // nil: any row
}

// Probe implements probe.Prober.
func (p *prober) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	if p.settings.User == "" {
		return p.ready(raw)
	}
	session, err := p.login(raw)
	if err != nil {
		return failed(raw, "login", err)
	}
	// The end of ctx ends the connection, so no step needs a context of its own, which
	// the library would watch in a goroutine.
	defer session.Close(context.Background())
	if p.settings.Query == "" {
		return nil
	}
	return p.ask(raw, session)
}

// maxMessage bounds one message of a server. The library makes room for as many bytes
// as the server announces.
const maxMessage = 1 << 20

func frontend(r io.Reader, w io.Writer) *pgproto3.Frontend {
	f := pgproto3.NewFrontend(r, w)
	f.SetMaxBodyLen(maxMessage)
	return f
}

// login opens a session on a connection.
func (p *prober) login(raw *probe.Conn) (*pgconn.PgConn, error) {
	// The library takes what is not given here from the environment and from files in
	// the home directory. What it may have found there is overwritten below.
	c, err := pgconn.ParseConfig("host=127.0.0.1 port=5432 user=nobody password=none database=none sslmode=disable target_session_attrs=any")
	if err != nil {
		return nil, err
	}
	c.User, c.Password, c.Database = p.settings.User, string(p.settings.Password), p.settings.Database
	c.RuntimeParams = map[string]string{"application_name": "holdfast"}
	c.Fallbacks, c.ConnectTimeout, c.RequireAuth = nil, 0, ""
	c.BuildFrontend = frontend
	if p.TLS() != nil {
		c.TLSConfig = p.TLS().Config()
	}
	used := false
	c.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		if used { // to cancel a query the library wants a second connection
			return nil, net.ErrClosed
		}
		used = true
		return raw, nil
	}
	return pgconn.ConnectConfig(context.Background(), c)
}

// ask sends the query and judges the first row of the answer. It reads the whole
// answer: the query can still fail, and servers log it when a client goes early.
func (p *prober) ask(raw *probe.Conn, session *pgconn.PgConn) error {
	results := session.Exec(context.Background(), p.settings.Query)
	var first probe.FirstRow
	for results.NextResult() {
		for rows := results.ResultReader(); rows.NextRow(); {
			if !first.Found {
				first = probe.FirstRow{Found: true, Text: join(rows.Values())}
			}
		}
	}
	if err := results.Close(); err != nil {
		return failed(raw, "query", err)
	}
	return first.Judge(p.expect)
}

// join returns the columns of a row with tabs between them.
func join(row [][]byte) string {
	for i, column := range row {
		if column == nil {
			row[i] = []byte("NULL")
		}
	}
	return string(bytes.Join(row, []byte("\t")))
}

// ready sees whether the server lets clients log in, as the program pg_isready does:
// it begins to log in and hangs up when the server wants to know more.
func (p *prober) ready(raw *probe.Conn) error {
	conn, err := p.secure(raw)
	if err != nil {
		return err
	}
	f := frontend(conn, conn)
	f.Send(&pgproto3.StartupMessage{
		ProtocolVersion: pgproto3.ProtocolVersion30,
		Parameters:      map[string]string{"user": "holdfast", "database": "holdfast", "application_name": "holdfast"},
	})
	if err := f.Flush(); err != nil {
		return raw.Failed("login", err)
	}
	answer, err := f.Receive()
	if err != nil {
		return raw.Misread("login", "a PostgreSQL server", err)
	}
	if refusal, ok := answer.(*pgproto3.ErrorResponse); ok && notReady(refusal.Code) {
		return failed(raw, "login", pgconn.ErrorResponseToPgError(refusal))
	}
	return nil
}

// notReady reports whether an error code (PostgreSQL manual, appendix A) says that the
// server takes no clients. Others are about this client, which the server does not
// know.
func notReady(code string) bool {
	switch code {
	case "53300", // too_many_connections
		"57P01", // admin_shutdown
		"57P02", // crash_shutdown
		"57P03": // cannot_connect_now: it starts, stops or recovers
		return true
	}
	return false
}

// secure makes the TLS handshake if one is asked for.
func (p *prober) secure(raw *probe.Conn) (net.Conn, error) {
	if p.TLS() == nil {
		return raw, nil
	}
	request, err := (&pgproto3.SSLRequest{}).Encode(nil)
	if err != nil {
		return nil, err
	}
	if _, err := raw.Write(request); err != nil {
		return nil, raw.Failed("TLS", err)
	}
	var answer [1]byte // and no byte more, which could come from somebody in between
	if _, err := io.ReadFull(raw, answer[:]); err != nil {
		return nil, raw.Failed("TLS", err)
	}
	if answer[0] != 'S' {
		return nil, errors.New("TLS: the server does not offer it")
	}
	return p.Secure(raw)
}

// failed returns the reason of a step that failed: the server's own words, otherwise
// what happened to the connection.
func failed(raw *probe.Conn, step string, err error) error {
	if refusal, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("%s: %s (SQLSTATE %s)", step, refusal.Message, refusal.Code)
	}
	if _, ok := errors.AsType[*pgproto3.ExceededMaxBodyLenErr](err); ok {
		err = probe.ErrTooLong
	}
	if _, what, ok := strings.Cut(err.Error(), "(127.0.0.1): "); ok {
		err = &withoutAddress{err, what}
	}
	if strings.Contains(err.Error(), "invalid message length") { // it exports no error for it
		return raw.Misread(step, "a PostgreSQL server", err)
	}
	return raw.Failed(step, err)
}

// withoutAddress is an error of the library, which begins its texts with an address that
// is not the one that was asked.
type withoutAddress struct {
	err  error
	text string
}

func (e *withoutAddress) Error() string { return e.text }
func (e *withoutAddress) Unwrap() error { return e.err }
