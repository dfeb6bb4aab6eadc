package web

import (
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A peer that answers is shown with what it says; one that does not, with why.
func TestPeers(t *testing.T) {
	good := serve(t)
	secure := httptest.NewTLSServer(good.Page)
	defer secure.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}))
	strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/moved"):
			http.Redirect(w, r, good.url, http.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/huge"):
			_, _ = w.Write(make([]byte, maxSummary+1))
		case strings.HasPrefix(r.URL.Path, "/text"):
			_, _ = w.Write([]byte("hello"))
		default:
			http.NotFound(w, r)
		}
	}))
	defer strange.Close()
	for _, test := range []struct {
		peer Peer
		err  string
	}{
		{Peer{Name: "plain", URL: good.url}, ""},
		{Peer{Name: "slash", URL: good.url + "/"}, ""},
		{Peer{Name: "tls", URL: secure.URL, CA: ca}, ""},
		{Peer{Name: "unknown-ca", URL: secure.URL}, "failed to verify certificate"},
		{Peer{Name: "moved", URL: strange.URL + "/moved"}, "it redirects to another address"},
		{Peer{Name: "huge", URL: strange.URL + "/huge"}, "its answer is longer than 1048576 bytes"},
		{Peer{Name: "text", URL: strange.URL + "/text"}, "its answer is not that of holdfast"},
		{Peer{Name: "other", URL: strange.URL}, "it answers 404 Not Found"},
		{Peer{Name: "closed", URL: "http://127.0.0.1:1"}, "connect: connection refused"},
	} {
		ps := newPeers(slog.New(slog.DiscardHandler))
		ps.set([]Peer{test.peer})
		ps.ask(t.Context(), ps.list[0])
		table := ps.table()
		var row peerRow
		if err := json.Unmarshal(table.rows[0].value, &row); err != nil {
			t.Fatal(err)
		}
		if test.err != "" && !strings.Contains(row.Error, test.err) || test.err == "" && row.Error != "" {
			t.Errorf("%s: the reason is %q, want %q", test.peer.Name, row.Error, test.err)
		}
		if test.err == "" && (row.Summary == nil || row.Director != "lvs1" || row.Masters != 1 || len(row.Units) != 2) {
			t.Errorf("%s: %s", test.peer.Name, table.rows[0].value)
		}
	}
}

// Since tells when a peer began to answer, or not to; the last answer is kept.
func TestPeerSince(t *testing.T) {
	p := &peer{}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, step := range []struct {
		reason string
		since  int // the step whose time it is
	}{{"", 0}, {"", 0}, {"connection refused", 2}, {"no route", 2}, {"", 4}} {
		var s *Summary
		if step.reason == "" {
			s = &Summary{Director: "lvs2"}
		}
		p.record(at.Add(time.Duration(i)*time.Second), s, step.reason)
		if want := at.Add(time.Duration(step.since) * time.Second); !p.row.Since.Equal(want) || p.row.Error != step.reason || p.row.Director != "lvs2" {
			t.Errorf("step %d: %+v, want since %v", i, p.row, want)
		}
	}
}

// Peers that stay in the configuration keep their answers.
func TestPeersReload(t *testing.T) {
	ps := newPeers(slog.New(slog.DiscardHandler))
	ps.set([]Peer{{Name: "a", URL: "http://a"}, {Name: "b", URL: "http://b"}})
	ps.list[1].row.Asked = true
	ps.set([]Peer{{Name: "b", URL: "http://b"}, {Name: "a", URL: "http://other"}})
	if !ps.list[0].row.Asked || ps.list[1].row.Asked || ps.list[1].row.URL != "http://other" {
		t.Errorf("%+v, %+v", ps.list[0].row, ps.list[1].row)
	}
}
