package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// maxReaders bounds the pages that are open at once.
	maxReaders = 64
	// writeTimeout is how long a reader may take for a message.
	writeTimeout = 10 * time.Second
)

// serveStream sends the messages of the hub until the reader leaves or the page is
// closed.
func (p *Page) serveStream(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	if open.Err() != nil {
		refuse(w, "the daemon stops")
		return
	}
	select {
	case p.readers <- struct{}{}:
		defer func() { <-p.readers }()
	default:
		refuse(w, "too many pages are open")
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(open, cancel)()
	defer p.hub.join()()
	out := newOutput(w, r)
	for number := uint64(0); ; {
		var m *message
		if m, number = p.hub.next(ctx, number); m == nil {
			break
		}
		if out.send(m) != nil {
			return
		}
	}
	if open.Err() != nil {
		p.mu.Lock()
		returns := p.returns
		p.mu.Unlock()
		_ = out.send(newMessage("bye", map[string]bool{"returns": returns})) // the stream ends anyway
	}
}

func refuse(w http.ResponseWriter, why string) {
	w.Header().Set("Retry-After", "5")
	http.Error(w, why, http.StatusServiceUnavailable)
}

// An output is a stream to one reader.
type output struct {
	w       io.Writer
	control *http.ResponseController
	gzip    bool
}

func newOutput(w http.ResponseWriter, r *http.Request) *output {
	o := &output{w: w, control: http.NewResponseController(w), gzip: strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")}
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx in front would wait for more
	h.Set("Vary", "Accept-Encoding")
	if o.gzip {
		h.Set("Content-Encoding", "gzip")
	}
	// The server bounds how long requests are read, and ends those that take longer. The
	// read goes on here as long as the stream, to notice that the reader leaves.
	_ = o.control.SetReadDeadline(time.Time{})
	w.WriteHeader(http.StatusOK)
	if o.gzip {
		_, _ = w.Write(gzipHeader) // the first message fails if this does
	}
	return o
}

func (o *output) send(m *message) error {
	body := m.plain
	if o.gzip {
		body = m.deflated
	}
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := o.w.Write(body); err != nil {
		return err
	}
	return o.control.Flush()
}
