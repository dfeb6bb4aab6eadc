package probe

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// maxWhole is how many bytes of a body are held in memory. A longer body is looked at
// as it comes.
const maxWhole = 64 << 10

// errCut says that a body is longer than may be read.
var errCut = errors.New("the rest is not read")

// A readError is an error of reading a body.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// A cutter reads at most *left bytes, and then returns errCut if there are more.
type cutter struct {
	r    io.Reader
	left *int
	err  error
}

func (c *cutter) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(b[:min(len(b), *c.left+1)])
	if n > *c.left {
		n, err = *c.left, errCut
	}
	*c.left -= n
	c.err = err
	return n, err
}

// readThrough reads a body that nobody looks at, because an incomplete answer is a
// failure, and because to close a connection with unread bytes sends a reset, which
// some servers log. It reads at most *left bytes. ended reports whether that was the
// whole body.
func readThrough(body io.Reader, left *int) (ended bool, err error) {
	_, err = io.Copy(io.Discard, &cutter{r: body, left: left})
	if errors.Is(err, errCut) {
		return false, nil
	}
	if err != nil {
		return false, &readError{plainer(err)}
	}
	return true, nil
}

// decoded returns the content of a body. A server may code a body that nobody asked it
// to code (RFC 9110 §12.5.3).
func decoded(answer *http.Response, body io.Reader) (io.Reader, error) {
	coding := strings.ToLower(strings.TrimSpace(answer.Header.Get("Content-Encoding")))
	var r io.Reader
	var err error
	switch coding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(body)
	case "deflate":
		r, err = zlib.NewReader(body)
	default:
		return nil, fmt.Errorf("the content coding is %s, which nobody asked for", excerpt([]byte(coding)))
	}
	return r, err
}

// A viewer looks at the content of a body: at the whole, or as it comes. As it comes,
// it may stop before the end.
type viewer interface {
	whole(b []byte)
	stream(r io.Reader)
}

// A content is what was seen of the content of a body.
type content struct {
	head []byte // the beginning
	n    int    // how many bytes were seen
	cut  bool   // there are more
}

// String describes the content in a reason.
func (c *content) String() string { return excerptOf(c.head, c.n) }

// place says where something was looked for, if that was not the whole body.
func (c *content) place() string {
	if !c.cut {
		return ""
	}
	return fmt.Sprintf(" in its first %d bytes, and the rest is not read (max_body)", c.n)
}

// show lets viewers look at a content. An error of reading is returned after all have
// seen what there is.
func show(r io.Reader, viewers []viewer) (c content, err error) {
	buf := bodies.Get().(*bytes.Buffer)
	defer func() { buf.Reset(); bodies.Put(buf) }()
	_, err = io.CopyN(buf, r, maxWhole)
	c.head, c.n = bytes.Clone(buf.Bytes()[:min(buf.Len(), maxExcerpt)]), buf.Len()
	if err == nil {
		c.n, err = fan(io.MultiReader(bytes.NewReader(buf.Bytes()), r), viewers)
		return c, err
	}
	for _, v := range viewers {
		v.whole(buf.Bytes())
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return c, err
}

// bodies are buffers for maxWhole bytes.
var bodies = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 4096)) }}

// fan lets viewers look at a long content, all at the same time. It returns how long
// the content is.
func fan(r io.Reader, viewers []viewer) (int, error) {
	var all sync.WaitGroup
	pipes := make([]*io.PipeWriter, len(viewers))
	ends := make([]io.Writer, len(viewers))
	for i, v := range viewers {
		out, in := io.Pipe()
		pipes[i], ends[i] = in, in
		all.Go(func() {
			v.stream(out)
			_, _ = io.Copy(io.Discard, out) // its error is that of r
		})
	}
	n, err := io.Copy(io.MultiWriter(ends...), r)
	for _, in := range pipes {
		_ = in.CloseWithError(err) // nil is the end
	}
	all.Wait()
	return int(n), err
}
