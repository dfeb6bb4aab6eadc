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
	// Status returns a value of the caller's own.
	Status(context.Context) (*status.Status, error)
	// Plan reads the configuration file again and changes nothing.
	Plan(context.Context) (*Plan, error)
	// Reload applies the configuration file. On an error everything is as it
	// was before.
	Reload(context.Context) (*Reloaded, error)
	// Handover gives the mastership of a group or lone instance away, or with
	// "" of everything, and returns when another router has it.
	Handover(ctx context.Context, name string) (*HandedOver, error)
	// Upgrade replaces the running binary by the installed one after it has
	// returned. On an error nothing happens.
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
}

// returnsTrailer comes after a stream of events that the daemon goes on with soon,
// in another connection: who follows asks again, from the last seq.
const returnsTrailer = "Holdfast-Returns"

// streamTimeout is how long a reader of events may take for one batch.
const streamTimeout = 10 * time.Second

// NewServer returns a Server. Call Serve, then Close.
func NewServer(o Options) *Server {
	s := &Server{backend: o.Backend, events: o.Events, version: o.Version, log: o.Log, uid: os.Geteuid()}
	s.version.Version = status.Version
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.http = http.Server{
		Handler:           s.handler(),
		ConnContext:       withPeer,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	return s
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/version", read(func(context.Context) (*VersionInfo, error) { return &s.version, nil }))
	mux.HandleFunc("GET /v1/status", read(s.status))
	mux.HandleFunc("GET /v1/plan", read(s.backend.Plan))
	mux.HandleFunc("GET /v1/events", s.serveEvents)
	mux.HandleFunc("POST /v1/reload", s.write("reload", read(s.backend.Reload)))
	mux.HandleFunc("POST /v1/upgrade", s.write("upgrade", read(s.backend.Upgrade)))
	mux.HandleFunc("POST /v1/handover", s.write("handover", func(w http.ResponseWriter, r *http.Request) {
		read(func(ctx context.Context) (*HandedOver, error) {
			return s.backend.Handover(ctx, r.FormValue("name"))
		})(w, r)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, fmt.Errorf("this daemon has no %s %s", r.Method, r.URL.Path))
	})
	return mux
}

func (s *Server) status(ctx context.Context) (*status.Status, error) {
	st, err := s.backend.Status(ctx)
	if err != nil {
		return nil, err
	}
	st.Version = status.Version
	st.Complete()
	return st, nil
}

// Serve answers on l until Close. It returns nil after Close.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the control socket: %w", err)
	}
	return nil
}

// Leave is Close for a daemon that answers again in a moment, and tells that to who
// follows the events.
func (s *Server) Leave(ctx context.Context) error {
	s.returns.Store(true)
	return s.Close(ctx)
}

// Close stops listening, ends the streams of events and waits, as long as ctx
// allows, for what else is being answered.
func (s *Server) Close(ctx context.Context) error {
	s.stop()
	if err := s.http.Shutdown(ctx); err != nil {
		s.http.Close()
		return fmt.Errorf("close the control socket: %w", err)
	}
	return nil
}

// read answers with what ask returns.
func read[T any](ask func(context.Context) (*T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := ask(r.Context())
		if err != nil {
			fail(w, http.StatusUnprocessableEntity, err)
			return
		}
		reply(w, http.StatusOK, answer)
	}
}

// write guards what changes something, and logs it.
func (s *Server) write(verb string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !mayWrite(r.Context(), s.uid) {
			fail(w, http.StatusForbidden, fmt.Errorf("%s is for root only", verb))
			return
		}
		s.log.Info("asked over the control socket", "verb", verb, "uid", r.Context().Value(peerKey{}))
		next(w, r)
	}
}

func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	var since uint64
	if text := r.FormValue("since"); text != "" {
		var err error
		if since, err = strconv.ParseUint(text, 10, 64); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("since must be the number of an event, not %q", text))
			return
		}
	}
	follow, err := strconv.ParseBool(r.FormValue("follow"))
	if err != nil && r.FormValue("follow") != "" {
		fail(w, http.StatusBadRequest, fmt.Errorf("follow must be 1 or 0, not %q", r.FormValue("follow")))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()

	w.Header().Set("Content-Type", "application/jsonl")
	out := http.NewResponseController(w)
	if !follow {
		_ = writeEvents(w, out, s.events.Since(since))
		return
	}
	w.Header().Set("Trailer", returnsTrailer)
	// The header goes out at once: the reader knows that nothing escapes it from now on.
	for err := out.Flush(); err == nil; {
		events := s.events.Follow(ctx, since)
		if events == nil {
			if s.returns.Load() {
				w.Header().Set(returnsTrailer, "1")
			}
			return
		}
		err = writeEvents(w, out, events)
		since = events[len(events)-1].Seq
	}
}

// writeEvents writes one event per line. A reader that does not read for
// streamTimeout is given up.
func writeEvents(w http.ResponseWriter, out *http.ResponseController, events []event.Event) error {
	if err := out.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	for i := range events {
		if err := encoder.Encode(&events[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}

type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, code int, err error) {
	reply(w, code, failure{err.Error()})
}

func reply(w http.ResponseWriter, code int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be put into JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A reader that has gone away is no fault of ours.
	_, _ = w.Write(append(body, '\n'))
}
