package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Door is what a server gives to the clients of its listener.
type Door struct {
	Name string // of the listener, for the log
	// API, Metrics and Page are the parts that are answered.
	API, Metrics, Page bool
	// Writer returns the name of the client of a request that changes something, or an
	// error if the client may not do that.
	Writer func(*http.Request) (who string, err error)
	// Hosts are the names by which clients may call the server, as admitsHost takes
	// them; nil: any.
	Hosts []string
	// Certificates are those of TLS; nil: no TLS.
	Certificates *Certificates
}

// A Server answers on one listener.
type Server struct {
	api  *API
	door Door

	http     http.Server
	mu       sync.Mutex
	listener net.Listener    // nil before Serve
	stopping context.Context // ends requests, so that Close need not wait for their readers
	stop     context.CancelFunc
	returns  atomic.Bool // the daemon answers again soon

	streams chan struct{} // one token for each stream of events
}

const (
	// maxConnections bounds the connections of a server that are open at once. More
	// wait until one of them is closed.
	maxConnections = 512
	// maxStreams bounds the streams of events among them: a stream may last for ever.
	maxStreams = 128
	// maxBody bounds the body of a request in bytes. No request needs one.
	maxBody = 64 << 10
)

// returnsTrailer comes after a stream of events that the daemon goes on with soon,
// in another connection: who follows asks again, from the last seq.
const returnsTrailer = "Holdfast-Returns"

// NewServer returns a Server. Call Serve, then Close.
func (a *API) NewServer(d Door) *Server {
	s := &Server{api: a, door: d, streams: make(chan struct{}, maxStreams)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(s.stopping, serverKey{}, s) },
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if d.Certificates != nil {
		s.http.TLSConfig = d.Certificates.config()
	}
	return s
}

// handler returns the handler of all requests.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	if s.door.API {
		for _, r := range s.api.requests() {
			mux.HandleFunc(r.pattern, r.answer)
		}
	}
	if s.door.Metrics && s.api.metrics != nil {
		mux.Handle("GET /metrics", s.api.bounded(s.api.metrics))
	}
	for _, path := range []string{"/v1/", "/metrics"} { // which are never the page's
		mux.HandleFunc(path, s.api.notFound)
	}
	mux.HandleFunc("/", s.servePage)
	var origins http.CrossOriginProtection
	origins.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.api.fail(w, http.StatusForbidden, errors.New("a web page of another origin may not change anything"))
	}))
	return http.MaxBytesHandler(s.onlyKnownHosts(origins.Handler(mux)), maxBody)
}

// servePage answers what is not under another path.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	if !s.door.Page || s.api.page == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.api.notFound(w, r)
		return
	}
	s.api.bounded(s.api.page).ServeHTTP(w, r)
}

// serverKey is the key of the server in the context of a request.
type serverKey struct{}

// serverOf returns the server that a request came to.
func serverOf(r *http.Request) *Server {
	s, _ := r.Context().Value(serverKey{}).(*Server)
	return s
}

// Serve answers on l until Close. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	b := newBounded(l, maxConnections)
	s.mu.Lock()
	s.listener = b
	s.mu.Unlock()
	if s.stopping.Err() != nil { // Close found no listener
		b.Close()
	}
	serve := s.http.Serve
	if s.door.Certificates != nil {
		serve = func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	if err := serve(b); !errors.Is(err, http.ErrServerClosed) && s.stopping.Err() == nil {
		return fmt.Errorf("serve %s: %w", s.door.Name, err)
	}
	return nil
}

// Leave is Close before an upgrade: it makes clients that follow events reconnect.
func (s *Server) Leave(ctx context.Context) error {
	s.returns.Store(true)
	return s.Close(ctx)
}

// Deafen stops listening, at once. Connections stay.
func (s *Server) Deafen() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		s.listener.Close()
	}
}

// Close stops listening and waits for the answers under way, at most until ctx is
// done. Requests that wait for the daemon are refused.
func (s *Server) Close(ctx context.Context) error {
	s.Deafen()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
		return fmt.Errorf("close %s: %w", s.door.Name, err)
	}
	return nil
}
