package probe

import (
	"bufio"
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
	limit io.LimitedReader
	buf   *bufio.Reader
}

var readers = sync.Pool{New: func() any { return &reader{buf: bufio.NewReader(nil)} }}

func (r *reader) reset(conn io.Reader) {
	r.limit = io.LimitedReader{R: conn, N: maxHead}
	r.buf.Reset(&r.limit)
}

func (r *reader) release() {
	r.limit.R = nil
	r.buf.Reset(nil)
	readers.Put(r)
}

// answer returns the head of the final answer. It skips interim answers (RFC 9110
// §15.2).
func (r *reader) answer(to *http.Request) (*http.Response, error) {
	for {
		answer, err := http.ReadResponse(r.buf, to)
		switch {
		case err != nil && r.limit.N == 0:
			return nil, fmt.Errorf("the head is longer than %d bytes", maxHead)
		case err != nil:
			return nil, err
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
	if err.Error() == "invalid byte in chunk length" { // net/http/internal exports no error for it
		return errors.New(`the length of a chunk is not hexadecimal, or a blank is between it and ";"`)
	}
	return err
}
