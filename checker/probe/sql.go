package probe

import (
	"errors"
	"fmt"
	"regexp"
)

// SQL is what a check asks a database server.
type SQL struct {
	Login
	Database string // "": the kind decides
	// Query must return a row. "": there is no query.
	Query string
	// Expect is a regular expression that the first row must match, with tabs between
	// its columns; "": any row.
	Expect string
	TLS    *TLS // nil: without TLS
}

func (s *SQL) validate() FieldErrors {
	var errs FieldErrors
	s.Login.validate(&errs)
	if s.User == "" && s.Database != "" {
		errs.Addf("database", "has no effect without user")
	}
	if s.User == "" && s.Query != "" {
		errs.Addf("query", "has no effect without user")
	}
	if s.Query == "" && s.Expect != "" {
		errs.Addf("expect", "has no effect without query")
	}
	errs.pattern("expect", s.Expect)
	s.TLS.validate(&errs)
	return errs
}

// Expected returns the compiled Expect; nil: any row will do. The settings are valid.
func (s *SQL) Expected() *regexp.Regexp { return compile(s.Expect) }

// A FirstRow is the first row of the answer to a query, which decides the check.
type FirstRow struct {
	Found bool
	Text  string // the columns, with tabs between them
}

// Judge returns why the answer is not good; nil if it is.
func (r *FirstRow) Judge(expect *regexp.Regexp) error {
	switch {
	case !r.Found:
		return errors.New("query: no row")
	case expect != nil && !expect.MatchString(r.Text):
		return fmt.Errorf("query: row %s does not match %q", Excerpt(r.Text), expect)
	}
	return nil
}

// MySQL logs in to a MySQL or MariaDB server and asks a query. Without a user it
// sees whether the server lets clients log in. Its client is package
// checker/probe/mysql.
type MySQL struct{ SQL }

// Kind returns "mysql".
func (MySQL) Kind() string { return "mysql" }

// Needs returns NeedsPort.
func (MySQL) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s MySQL) Validate() FieldErrors { return s.SQL.validate() }

func (s MySQL) prober(*Tools, Target) Prober { return noClient(s.Kind()) }

// PostgreSQL logs in to a PostgreSQL server and asks a query. Without a user it sees
// whether the server lets clients log in. Its client is package
// checker/probe/postgresql.
type PostgreSQL struct{ SQL }

// Kind returns "postgresql".
func (PostgreSQL) Kind() string { return "postgresql" }

// Needs returns NeedsPort.
func (PostgreSQL) Needs() Needs { return NeedsPort }

// Validate implements Settings.
func (s PostgreSQL) Validate() FieldErrors { return s.SQL.validate() }

func (s PostgreSQL) prober(*Tools, Target) Prober { return noClient(s.Kind()) }
