package web

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"time"

	"holdfast/cmd/internal/event"
)

// A snapshot is the content of the page at one moment.
type snapshot struct {
	now    time.Time
	head   json.RawMessage
	tables []table
}

// An update is the data of the events state and delta.
type update struct {
	Now    time.Time          `json:"now"`
	Head   json.RawMessage    `json:"head,omitempty"`
	Tables map[string]*change `json:"tables,omitempty"`
	Events []event.Event      `json:"events,omitempty"`
}

// state returns everything.
func (s *snapshot) state(events []event.Event) update {
	return update{Now: s.now, Head: s.head, Tables: diffAll(nil, s.tables), Events: events}
}

// since returns what has changed since old.
func (s *snapshot) since(old *snapshot, events []event.Event) update {
	u := update{Now: s.now, Tables: diffAll(old.tables, s.tables), Events: events}
	if !bytes.Equal(old.head, s.head) {
		u.Head = s.head
	}
	return u
}

// A message is a server-sent event, as it is and compressed. All readers share it.
type message struct {
	plain []byte
	// deflated is a part of a deflate stream that refers to nothing before it and ends
	// at a byte boundary. The messages of a stream can therefore be compressed once
	// for all readers, whenever each of them began.
	deflated []byte
}

// newMessage returns the server-sent event of a type.
func newMessage(kind string, data any) *message {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", kind, encode(data)) // JSON has no line feed
	return &message{plain: b.Bytes(), deflated: deflate(b.Bytes())}
}

func deflate(plain []byte) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one
	}
	// A buffer does not fail. Flush ends at a byte boundary, and does not end the stream.
	_, _ = w.Write(plain)
	_ = w.Flush()
	return b.Bytes()
}

// gzipHeader begins a gzip stream (RFC 1952): deflate, no name, no time, unknown system.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}
