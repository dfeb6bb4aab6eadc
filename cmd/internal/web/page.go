package web

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"sync"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

//go:embed assets
var embedded embed.FS

// Options configure a Page.
type Options struct {
	// Status returns a status that belongs to the caller. It is called from other
	// goroutines, one at a time for the page and one for its summary.
	Status  func(context.Context) (*status.Status, error)
	Journal *event.Journal
	Log     *slog.Logger
}

// A Page is the http.Handler of the status page.
type Page struct {
	mux     *http.ServeMux
	hub     *hub
	readers chan struct{} // one token for each open page

	mu      sync.Mutex
	open    context.Context // of all streams
	end     context.CancelFunc
	returns bool // after Close: whether the daemon answers again in a moment
}

// New returns a page. It does nothing until it is asked for something.
func New(o Options) *Page {
	p := &Page{
		mux:     http.NewServeMux(),
		hub:     &hub{status: o.Status, journal: o.Journal, peers: newPeers(o.Log)},
		readers: make(chan struct{}, maxReaders),
	}
	p.open, p.end = context.WithCancel(context.Background())
	summary := &summaries{status: o.Status}
	p.mux.HandleFunc("GET /page/stream", p.serveStream)
	p.mux.HandleFunc("GET /page/summary", summary.serve)
	p.mux.HandleFunc("GET /{$}", serveIndex)
	p.mux.HandleFunc("GET /page/{name}", serveFile)
	return p
}

// Open has the page show peers beside this director, and serve streams again if it
// was closed.
func (p *Page) Open(peers []Peer) {
	p.hub.peers.set(peers)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open.Err() != nil {
		p.open, p.end = context.WithCancel(context.Background())
	}
}

// Close ends the streams. returns tells their readers that the daemon answers again in
// a moment.
func (p *Page) Close(returns bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returns = returns
	p.end()
}

// policy allows what comes from the daemon itself, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP implements http.Handler.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that do not know frame-ancestors
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	p.mux.ServeHTTP(w, r)
}

// An asset is an embedded file.
type asset struct {
	kind, tag string // Content-Type and ETag
	body      []byte
}

// kinds has the Content-Type of each kind of asset. The tables of the host may be
// wrong or missing.
var kinds = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// assets are the embedded files by name, and a version of all of them. They are read
// when the page is first asked for, because most daemons are never asked.
var assets = sync.OnceValues(func() (files map[string]*asset, version string) {
	entries, err := fs.ReadDir(embedded, "assets")
	if err != nil {
		panic(err) // it is in the binary
	}
	files = make(map[string]*asset, len(entries))
	all := sha256.New()
	for _, f := range entries {
		body, err := embedded.ReadFile("assets/" + f.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		all.Write(sum[:])
		files[f.Name()] = &asset{kinds[path.Ext(f.Name())], `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body}
	}
	return files, base64.RawURLEncoding.EncodeToString(all.Sum(nil)[:12])
})

// index is the asset that is served as the root, and only there.
const index = "index.html"

func serveIndex(w http.ResponseWriter, r *http.Request) { serveAsset(w, r, index) }

func serveFile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if name == index {
		name = ""
	}
	serveAsset(w, r, name)
}

// serveAsset answers with a file. A browser asks every time whether the file is another
// one, because a new binary may have another page.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	files, _ := assets()
	a := files[name]
	if a == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("ETag", a.tag)
	h.Set("Cache-Control", "no-cache")
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.kind)
	h.Set("Content-Length", fmt.Sprint(len(a.body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(a.body) // the reader may have left
	}
}
