package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// A Backend is the daemon as its control socket sees it. Its methods are called
// from several goroutines.
type Backend interface {
	// Status returns a copy that the caller may change.
	Status(context.Context) (*status.Status, error)
	// States returns the present state of everything as events, and the number of
	// the journal's last event at that moment.
	States(context.Context) ([]event.Event, uint64, error)
	// Plan reads the configuration file again and changes nothing.
	Plan(context.Context) (*Plan, error)
	// Reload applies the configuration file. If it returns an error, nothing
	// changed.
	Reload(context.Context) (*Reloaded, error)
	// Handover gives away the mastership of a group or lone instance, or of
	// everything if name is "". It returns when another router is MASTER.
	Handover(ctx context.Context, name string) (*HandedOver, error)
	// Order carries out an order of an operator. It returns when the kernel has what was
	// ordered, or an error that says why not.
	Order(context.Context, ServerOrder) (*Servers, error)
	// Servers returns the servers that are named as for an order.
	Servers(ctx context.Context, service, server string) (*Servers, error)
	// Ack acknowledges the failures that pattern means, for the person by.
	Ack(ctx context.Context, pattern, by string) (*Acked, error)
	// Upgrade prepares the exec of the installed binary, which happens after
	// Upgrade has returned. If it returns an error, nothing happens.
	Upgrade(context.Context) (*Upgrading, error)
}

// Options configure a Server.
type Options struct {
	Backend Backend
	Events  *event.Journal
	Version VersionInfo
	Log     *slog.Logger
}

// A Server answers on a control socket.
type Server struct {
	backend Backend
	events  *event.Journal
	version VersionInfo
	log     *slog.Logger
	uid     int // who may write beside root

	http     http.Server
	stopping context.Context // ends streams, so that Close need not wait for their readers
	stop     context.CancelFunc
	returns  atomic.Bool // the daemon answers again soon

	snapshots *snapshots
	streams   chan struct{} // one token for each stream of events
	// writeTimeout is how long a reader may take for an answer, or for a batch of
	// events.
	writeTimeout time.Duration
}

const (
	// maxConnections bounds the connections that are open at once. More wait until
	// one of them is closed.
	maxConnections = 512
	// maxStreams bounds the streams of events among them: a stream may last for ever.
	maxStreams = 128
)

// returnsTrailer comes after a stream of events that the daemon goes on with soon,
// in another connection: who follows asks again, from the last seq.
const returnsTrailer = "Holdfast-Returns"

// seqHeader has the number of the last event before the states in an answer: the
// events after it are the changes since.
const seqHeader = "Holdfast-Seq"

// writeTimeout is Server.writeTimeout outside of tests.
const writeTimeout = 10 * time.Second

// NewServer returns a Server. Call Serve, then Close.
func NewServer(o Options) *Server {
	s := &Server{
		backend: o.Backend, events: o.Events, version: o.Version, log: o.Log, uid: os.Geteuid(),
		streams: make(chan struct{}, maxStreams), writeTimeout: writeTimeout,
	}
	s.version.Version = status.Version
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.snapshots = newSnapshots(s.stopping, s.encodeStatus)
	s.http = http.Server{
		Handler:           s.handler(),
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", read(s, func(context.Context) (*VersionInfo, error) { return &s.version, nil }))
	mux.HandleFunc("GET /v1/status", s.serveStatus)
	mux.HandleFunc("GET /v1/plan", read(s, s.backend.Plan))
	mux.HandleFunc("GET /v1/events", s.serveEvents)
	mux.HandleFunc("POST /v1/reload", s.write("reload", read(s, s.backend.Reload)))
	mux.HandleFunc("POST /v1/upgrade", s.write("upgrade", read(s, s.backend.Upgrade)))
	mux.HandleFunc("GET /v1/servers", s.serveServers)
	for _, verb := range []ServerVerb{Drain, Enable, Weight} {
		mux.HandleFunc("POST /v1/"+string(verb), s.order(verb))
	}
	mux.HandleFunc("POST /v1/handover", s.write("handover", func(w http.ResponseWriter, r *http.Request) {
		read(s, func(ctx context.Context) (*HandedOver, error) {
			return s.backend.Handover(ctx, r.URL.Query().Get("name"))
		})(w, r)
	}))
	mux.HandleFunc("POST /v1/ack", s.write("ack", func(w http.ResponseWriter, r *http.Request) {
		read(s, func(ctx context.Context) (*Acked, error) {
			return s.backend.Ack(ctx, r.URL.Query().Get("subject"), r.URL.Query().Get("by"))
		})(w, r)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, fmt.Errorf("this daemon has no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

// serveStatus answers with a snapshot that is shared with concurrent requests.
func (s *Server) serveStatus(w http.ResponseWriter, r *http.Request) {
	body, release, err := s.snapshots.get(r.Context())
	if err != nil {
		s.fail(w, http.StatusUnprocessableEntity, err)
		return
	}
	defer release()
	s.send(w, http.StatusOK, body)
}

// encodeStatus returns the status as JSON without indentation, which would double
// its size.
func (s *Server) encodeStatus(ctx context.Context) ([]byte, error) {
	st, err := s.backend.Status(ctx)
	if err != nil {
		return nil, err
	}
	st.Version = status.Version
	st.Complete()
	body, err := json.Marshal(st)
	return append(body, '\n'), err
}

// Serve answers on l until Close. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(newBounded(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the control socket: %w", err)
	}
	return nil
}

// Leave is Close before an upgrade: it makes clients that follow events reconnect.
func (s *Server) Leave(ctx context.Context) error {
	s.returns.Store(true)
	return s.Close(ctx)
}

// Close stops listening, ends the streams of events and waits for the other
// requests to be answered, at most until ctx is done.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
		return fmt.Errorf("close the control socket: %w", err)
	}
	return nil
}

// read returns a handler that answers with the result of ask.
func read[T any](s *Server, ask func(context.Context) (*T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := ask(r.Context())
		if err != nil {
			s.fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		s.reply(w, http.StatusOK, answer)
	}
}

// write returns a handler that logs a request and refuses it if the client may not
// change anything.
func (s *Server) write(verb string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !mayWrite(r.Context(), s.uid) {
			s.fail(w, http.StatusForbidden, fmt.Errorf("only root may use %s", verb))
			return
		}
		s.log.Info("request on the control socket", "verb", verb, "uid", r.Context().Value(peerKey{}))
		next(w, r)
	}
}

type failure struct {
	Error string `json:"error"`
}

func (s *Server) fail(w http.ResponseWriter, code int, err error) {
	s.reply(w, code, failure{err.Error()})
}

func (s *Server) reply(w http.ResponseWriter, code int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be put into JSON"}`)
	}
	s.send(w, code, append(body, '\n'))
}

// send sends an answer. The client must read it within writeTimeout.
func (s *Server) send(w http.ResponseWriter, code int, body []byte) {
	out, deadline := http.NewResponseController(w), time.Now().Add(s.writeTimeout)
	// This fails only on a closed connection, where the write fails too. The read
	// deadline is for a request body that was announced and never sent.
	_ = errors.Join(out.SetWriteDeadline(deadline), out.SetReadDeadline(deadline))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client may have closed the connection; nothing can be done about it.
	_, _ = w.Write(body)
}
