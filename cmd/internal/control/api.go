package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
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
	// Ack acknowledges the failures that pattern means, for the person by, who may comment.
	Ack(ctx context.Context, pattern, by, comment string) (*Acked, error)
	// Upgrade prepares the exec of the installed binary, which happens after
	// Upgrade has returned. If it returns an error, nothing happens.
	Upgrade(context.Context) (*Upgrading, error)
}

// Options configure an API.
type Options struct {
	Backend Backend
	Events  *event.Journal
	Version VersionInfo
	Log     *slog.Logger
	// Metrics answers GET /metrics, and Page every other GET outside of /v1/. nil: they
	// are not found. A handler that answers for longer than a few seconds sets its own
	// deadlines with an http.ResponseController.
	Metrics, Page http.Handler
}

// An API has the answers to all requests. A Server gives them to the clients of one
// listener.
type API struct {
	backend Backend
	events  *event.Journal
	version VersionInfo
	log     *slog.Logger
	// metrics and page are nil if they are not found.
	metrics, page http.Handler

	snapshots *Snapshots[[]byte] // of the status as JSON
	relief    relief
	end       context.CancelFunc
	// writeTimeout is how long a reader may take for an answer, or for a batch of
	// events.
	writeTimeout time.Duration
}

// seqHeader has the number of the last event before the states in an answer: the
// events after it are the changes since.
const seqHeader = "Holdfast-Seq"

// writeTimeout is API.writeTimeout outside of tests.
const writeTimeout = 10 * time.Second

// NewAPI returns an API. Call Close when all of its servers are closed.
func NewAPI(o Options) *API {
	a := &API{
		backend: o.Backend, events: o.Events, version: o.Version, log: o.Log,
		metrics: o.Metrics, page: o.Page, writeTimeout: writeTimeout,
	}
	a.version.Version = status.Version
	life, end := context.WithCancel(context.Background())
	a.end = end
	a.snapshots = NewSnapshots(life, a.encodeStatus)
	return a
}

// Close ends what the API does for requests that nobody waits for any more.
func (a *API) Close() { a.end() }

// A request is what a client can ask.
type request struct {
	pattern string // as http.ServeMux takes it
	answer  http.HandlerFunc
}

// requests returns all requests under /v1/. docs/openapi.yaml describes each.
func (a *API) requests() []request {
	list := []request{
		{"GET /v1/version", read(a, func(context.Context) (*VersionInfo, error) { return &a.version, nil })},
		{"GET /v1/status", a.serveStatus},
		{"GET /v1/plan", read(a, a.backend.Plan)},
		{"GET /v1/events", a.serveEvents},
		{"GET /v1/servers", a.serveServers},
		{"POST /v1/reload", a.write("reload", read(a, a.backend.Reload))},
		{"POST /v1/upgrade", a.write("upgrade", read(a, a.backend.Upgrade))},
		{"POST /v1/handover", a.write("handover", a.serveHandover)},
		{"POST /v1/ack", a.write("ack", a.serveAck)},
	}
	for _, verb := range []ServerVerb{Drain, Enable, Weight} {
		list = append(list, request{"POST /v1/" + string(verb), a.order(verb)})
	}
	return list
}

func (a *API) serveHandover(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	read(a, func(ctx context.Context) (*HandedOver, error) { return a.backend.Handover(ctx, name) })(w, r)
}

func (a *API) serveAck(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	by, comment := q.Get("by"), strings.Join(strings.Fields(q.Get("comment")), " ") // one line, for mon's alerts
	if len(by)+len(comment) > maxComment {
		a.fail(w, http.StatusBadRequest, fmt.Errorf("the name and the comment have more than %d bytes together", maxComment))
		return
	}
	read(a, func(ctx context.Context) (*Acked, error) {
		return a.backend.Ack(ctx, q.Get("subject"), by, comment)
	})(w, r)
}

// maxComment bounds what an acknowledgement says, in bytes: the variables of a program
// have it.
const maxComment = 4096

// notFound answers requests that nobody else answers.
func (a *API) notFound(w http.ResponseWriter, r *http.Request) {
	a.fail(w, http.StatusNotFound, fmt.Errorf("there is no %s %s here", r.Method, r.URL.Path))
}

// bounded gives a handler a deadline to read the request and to write the answer.
func (a *API) bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.setDeadlines(w)
		h.ServeHTTP(w, r)
	})
}

// serveStatus answers with a snapshot that is shared with concurrent requests.
func (a *API) serveStatus(w http.ResponseWriter, r *http.Request) {
	body, release, err := a.snapshots.Get(r.Context())
	if err != nil {
		a.failed(w, r, err)
		return
	}
	defer release()
	a.send(w, http.StatusOK, body)
	if len(body) >= large {
		a.relief.soon()
	}
}

// encodeStatus returns the status as JSON without indentation, which would double
// its size.
func (a *API) encodeStatus(ctx context.Context) ([]byte, error) {
	st, err := a.backend.Status(ctx)
	if err != nil {
		return nil, err
	}
	st.Version = status.Version
	st.Complete()
	var body bytes.Buffer
	err = json.NewEncoder(&body).Encode(st)
	return body.Bytes(), err
}

// read returns a handler that answers with the result of ask.
func read[T any](a *API, ask func(context.Context) (*T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		answer, err := ask(r.Context())
		if err != nil {
			a.failed(w, r, err)
			return
		}
		a.reply(w, http.StatusOK, answer)
	}
}

// failed answers that a request could not be carried out, and why.
func (a *API) failed(w http.ResponseWriter, r *http.Request, err error) {
	if serverOf(r).stopping.Err() != nil {
		a.fail(w, http.StatusServiceUnavailable, errLeaving)
		return
	}
	a.fail(w, http.StatusUnprocessableEntity, err)
}

var errLeaving = errors.New("the daemon is being stopped or replaced")

// write returns a handler that logs a request and refuses it if the client may not
// change anything.
func (a *API) write(verb string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		who, err := serverOf(r).door.Writer(r)
		if err != nil {
			a.fail(w, http.StatusForbidden, fmt.Errorf("%s: %w", verb, err))
			return
		}
		a.log.Info("request of a client", "verb", verb, "by", who, "listener", serverOf(r).door.Name)
		next(w, r.WithContext(context.WithValue(r.Context(), writerKey{}, who)))
	}
}

// writerKey is the key of the name of the client of a request that changes something.
type writerKey struct{}

// writer returns who sent a request that changes something, as Door.Writer names it.
func writer(ctx context.Context) string {
	who, _ := ctx.Value(writerKey{}).(string)
	return who
}

type failure struct {
	Error string `json:"error"`
}

func (a *API) fail(w http.ResponseWriter, code int, err error) {
	a.reply(w, code, failure{err.Error()})
}

func (a *API) reply(w http.ResponseWriter, code int, value any) {
	body, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		code, body = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be put into JSON"}`)
	}
	a.send(w, code, append(body, '\n'))
}

// send sends an answer. The client must read it within writeTimeout.
func (a *API) send(w http.ResponseWriter, code int, body []byte) {
	a.setDeadlines(w)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(code)
	// The client may have closed the connection; nothing can be done about it.
	_, _ = w.Write(body)
}

// setDeadlines bounds the rest of the time that an answer may take.
func (a *API) setDeadlines(w http.ResponseWriter) {
	out, deadline := http.NewResponseController(w), time.Now().Add(a.writeTimeout)
	// This fails only on a closed connection, where the write fails too. The read
	// deadline is for a request body that was announced and never sent.
	_ = errors.Join(out.SetWriteDeadline(deadline), out.SetReadDeadline(deadline))
}
