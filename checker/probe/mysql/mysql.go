// Package mysql is the client of the checks of type mysql, for servers of MySQL,
// MariaDB and others that speak their protocol.
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"

	"github.com/go-sql-driver/mysql"

	"holdfast/checker/probe"
)

// New returns the Prober for settings of type probe.MySQL.
func New(settings probe.Settings, to probe.Target) probe.Prober {
	s := settings.(probe.MySQL)
	return &prober{Dialer: probe.NewDialer(to, s.TLS, ""), settings: s, expect: s.Expected()}
}

type prober struct {
	*probe.Dialer
	settings probe.MySQL
	expect   *regexp.Regexp // nil: any row
}

// Probe implements probe.Prober.
func (p *prober) Probe(ctx context.Context) error {
	raw, err := p.Dial(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	// The end of ctx ends the connection. With the context as well, the library would
	// watch it in a goroutine.
	session, err := p.login(raw)
	if p.settings.User == "" && deniedAnyone(err) {
		return nil
	}
	if err != nil {
		return failed(raw, "login", err)
	}
	defer session.Close()
	if p.settings.Query == "" {
		return nil
	}
	return p.ask(raw, session)
}

// login opens a session on a connection.
func (p *prober) login(raw *probe.Conn) (driver.Conn, error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.DBName = p.settings.User, string(p.settings.Password), p.settings.Database
	c.Logger = nobody{}
	c.CheckConnLiveness = false
	if p.TLS() != nil {
		c.TLS = p.TLS().Config()
		c.AllowCleartextPasswords = true
	}
	c.DialFunc = func(context.Context, string, string) (net.Conn, error) { return raw, nil }
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return connector.Connect(context.Background())
}

// nobody receives what the library would log: each failure is a reason already.
type nobody struct{}

func (nobody) Print(...any) {}

// Errors of servers (https://mariadb.com/docs/server/reference/error-codes).
const (
	accessDenied           = 1045
	accessDeniedNoPassword = 1698
)

// deniedAnyone reports whether a login without a user was refused as it should be: the
// server has read it and has room for the session. To hang up after the server's
// greeting would count as a failed handshake, and after max_connect_errors of those
// the server blocks the director's address.
func deniedAnyone(err error) bool {
	refusal, ok := errors.AsType[*mysql.MySQLError](err)
	return ok && (refusal.Number == accessDenied || refusal.Number == accessDeniedNoPassword)
}

// ask sends the query and judges the first row of the answer. It reads the whole
// answer: the query can still fail, and servers log it when a client goes early.
func (p *prober) ask(raw *probe.Conn, session driver.Conn) error {
	rows, err := session.(driver.QueryerContext).QueryContext(context.Background(), p.settings.Query, nil)
	if err != nil {
		return failed(raw, "query", err)
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	var first probe.FirstRow
	for {
		err := rows.Next(row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return failed(raw, "query", err)
		}
		if !first.Found {
			first = probe.FirstRow{Found: true, Text: join(row)}
		}
	}
	return first.Judge(p.expect)
}

// join returns the columns of a row with tabs between them.
func join(row []driver.Value) string {
	var text []byte
	for i, column := range row {
		if i > 0 {
			text = append(text, '\t')
		}
		switch column := column.(type) {
		case nil:
			text = append(text, "NULL"...)
		case []byte:
			text = append(text, column...)
		default:
			text = fmt.Append(text, column)
		}
	}
	return string(text)
}

// failed returns the reason of a step that failed: the server's own words, otherwise
// what happened to the connection.
func failed(raw *probe.Conn, step string, err error) error {
	if refusal, ok := errors.AsType[*mysql.MySQLError](err); ok {
		return fmt.Errorf("%s: %s (error %d)", step, refusal.Message, refusal.Number)
	}
	if errors.Is(err, mysql.ErrInvalidConn) || errors.Is(err, mysql.ErrMalformPkt) || errors.Is(err, mysql.ErrPktSync) {
		return raw.Misread(step, "a MySQL server", err)
	}
	return raw.Failed(step, err)
}
