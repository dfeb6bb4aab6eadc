package probe

import (
	"bytes"
	"strings"
)

// A plain is what matters of an answer that came whole and has nothing unusual.
type plain struct {
	status int
	length int  // of the body
	closes bool // the server ends the connection
	more   bool // something follows the answer
}

// plainAnswer reads the most frequent form of an answer: a status line of HTTP/1.1, headers
// that it knows or that say nothing of the form, and a body with a Content-Length. It is
// for answers of which the status alone counts, where http.ReadResponse would be a
// twentieth of the cost of the check. whole is false for any other form, and for what is
// not complete; package net/http then decides.
func plainAnswer(b []byte) (a plain, whole bool) {
	line, b, ok := cutLine(b)
	if !ok {
		return a, false
	}
	if a.status, ok = plainStatus(line); !ok {
		return a, false
	}
	a.length = -1
	for {
		if line, b, ok = cutLine(b); !ok {
			return a, false
		}
		if len(line) == 0 {
			a.more = len(b) > a.length
			return a, a.length >= 0 && len(b) >= a.length
		}
		if !a.header(line) {
			return a, false
		}
	}
}

// cutLine returns a line without its CRLF, and what follows.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' {
		return nil, nil, false
	}
	return b[:end-1], b[end+1:], true
}

// plainStatus returns the status of an answer that has a body and is the final one.
func plainStatus(line []byte) (status int, ok bool) {
	const before = len("HTTP/1.1 ")
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) || len(line) < before+4 || line[before+3] != ' ' || !isText(line) {
		return 0, false
	}
	status, ok = digits(line[before : before+3])
	return status, ok && status >= 200 && status != 204 && status != 304
}

// header notes what a header says. It returns false for one of another form, and for one
// that changes what the answer means.
func (a *plain) header(line []byte) bool {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !isToken(name) || !isText(value) {
		return false
	}
	value = bytes.Trim(value, " \t")
	switch {
	case is(name, "Content-Length"):
		n, ok := digits(value)
		repeated := a.length >= 0
		a.length = n
		return ok && !repeated
	case is(name, "Connection"):
		a.closes = a.closes || is(value, "close")
		return a.closes || is(value, "keep-alive")
	case is(name, "Transfer-Encoding"), is(name, "Trailer"), is(name, "Upgrade"):
		return false
	}
	return true
}

// is reports whether a word is another, in whatever case.
func is(word []byte, other string) bool {
	return len(word) == len(other) && strings.EqualFold(string(word), other)
}

// digits returns a number of at most nine digits.
func digits(b []byte) (n int, ok bool) {
	if len(b) == 0 || len(b) > 9 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}

// isText reports whether there is no control character but the tab.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// isToken reports whether a name is a token (RFC 9110 §5.6.2) of letters, digits and "-".
// Other tokens are rare.
func isToken(name []byte) bool {
	for _, c := range name {
		if c != '-' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return len(name) > 0
}
