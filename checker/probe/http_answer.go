package probe

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"sync"
)

// maxBody is how many bytes of an answer's body are read. maxHead is how many
// bytes may come before it.
const (
	maxBody = 1 << 20
	maxHead = 64 << 10
)

// A reader reads one answer. Checks reuse readers, because the buffer would be
// most of what a check allocates.
type reader struct {
	limit io.LimitedReader
	buf   *bufio.Reader
	body  bytes.Buffer
}

var readers = sync.Pool{New: func() any { return &reader{buf: bufio.NewReader(nil)} }}

func (r *reader) reset(conn net.Conn) {
	r.limit = io.LimitedReader{R: conn, N: maxHead}
	r.buf.Reset(&r.limit)
	r.body.Reset()
}

func (r *reader) release() {
	r.limit.R = nil
	r.buf.Reset(nil)
	if r.body.Cap() > maxHead { // a rare large body must not stay in memory
		r.body = bytes.Buffer{}
	}
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
			r.limit.N = math.MaxInt64 // readBody has its own limit
			return answer, nil
		}
	}
}

// readBody reads at most maxBody bytes of a body, and keeps them on request. It
// reports whether the body is longer. The body is read even where nobody looks at
// it: an incomplete answer is a failure, and to close a connection with unread
// bytes sends a reset, which some servers log.
func (r *reader) readBody(body io.Reader, keep bool) (cut bool, err error) {
	var to io.Writer = io.Discard
	if keep {
		to = &r.body
	}
	n, err := io.CopyN(to, body, maxBody+1)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, plainer(err)
	}
	if n <= maxBody {
		return false, nil
	}
	if keep {
		r.body.Truncate(maxBody)
	}
	return true, nil
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
