package probe

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
)

// maxHead is how many bytes may come before the body of an answer.
const maxHead = 64 << 10

// A reader reads answers from one connection. Checks reuse readers, because the
// buffer would be most of what a check allocates.
type reader struct {
	conn  faulty
	limit io.LimitedReader
	buf   *bufio.Reader
}

// A faulty reader remembers the error that ended it. Package net/http takes what came
// before a timeout for the whole of a line.
type faulty struct {
	io.Reader
	err error
}

func (f *faulty) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

var readers = sync.Pool{New: func() any { return &reader{buf: bufio.NewReader(nil)} }}

func (r *reader) reset(conn io.Reader) {
	r.conn = faulty{Reader: conn}
	r.limit = io.LimitedReader{R: &r.conn, N: maxHead}
	r.buf.Reset(&r.limit)
}

func (r *reader) release() {
	r.conn, r.limit.R = faulty{}, nil
	r.buf.Reset(nil)
	readers.Put(r)
}

// answer returns the head of the final answer. It skips interim answers (RFC 9110
// §15.2), but for 101, after which none follows.
func (r *reader) answer(to *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(r.buf, to)
		switch {
		case err != nil && r.limit.N == 0:
			return nil, fmt.Errorf("the head is longer than %d bytes", maxHead)
		case err != nil:
			return nil, cmp.Or(r.conn.err, err)
		case answer.StatusCode == http.StatusSwitchingProtocols: // what follows is not HTTP
			answer.Close = true
			return answer, nil
		case answer.StatusCode >= 200:
			r.limit.N = math.MaxInt64 // the body has its own limit
			return answer, nil
		}
	}
}

// plainer returns an error of reading a body in words that name the fault.
//
// Package net/http refuses a chunk whose length has a blank before a ";", though
// RFC 9112 §7.1.1 tells recipients to skip it. Servers and proxies that disagree
// about where a chunk ends let requests be smuggled, so net/http skips nothing
// there. Clients that use net/http refuse such a server too.
func plainer(err error) error {
	switch err.Error() { // net/http/internal exports no errors for these
	case "invalid byte in chunk length":
		return errors.New(`the length of a chunk is not hexadecimal, or a blank is between it and ";"`)
	case "header line too long":
		return errors.New("the line before a chunk is too long")
	case "http: suspiciously long trailer after chunked body":
		return errors.New("the trailer is too long")
	}
	return err
}
