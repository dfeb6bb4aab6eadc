package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"holdfast/cmd/internal/event"
)

// maxBatch is how many events are read from the journal at once.
const maxBatch = 256

// An eventsQuery is a client's query for events.
type eventsQuery struct {
	since  event.Position
	follow bool
	state  bool // the present states come first, and then only what follows them
}

func parseEventsQuery(r *http.Request) (q eventsQuery, err error) {
	values := r.URL.Query()
	if text := values.Get("since"); text != "" {
		if q.since, err = event.ParsePosition(text); err != nil {
			return q, fmt.Errorf("since: %w", err)
		}
	}
	if text := values.Get("follow"); text != "" {
		if q.follow, err = strconv.ParseBool(text); err != nil {
			return q, fmt.Errorf("follow must be 1 or 0, not %q", text)
		}
	}
	if text := values.Get("state"); text != "" {
		if q.state, err = strconv.ParseBool(text); err != nil {
			return q, fmt.Errorf("state must be 1 or 0, not %q", text)
		}
	}
	return q, nil
}

func (a *API) serveEvents(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventsQuery(r)
	if err != nil {
		a.fail(w, http.StatusBadRequest, err)
		return
	}
	server, ctx := serverOf(r), r.Context()
	select {
	case server.streams <- struct{}{}:
		defer func() { <-server.streams }()
	default:
		a.fail(w, http.StatusServiceUnavailable, errors.New("too many clients are reading events"))
		return
	}
	var states []event.Event
	since := a.events.Find(q.since)
	if q.state {
		if states, since, err = a.backend.States(ctx); err != nil {
			a.failed(w, r, err)
			return
		}
		w.Header().Set(seqHeader, strconv.FormatUint(since, 10))
	}
	w.Header().Set("Content-Type", "application/jsonl")
	out := http.NewResponseController(w)
	if q.state && !q.follow {
		_ = a.writeEvents(w, out, states) // the reader sees that the answer has no end
		return
	}
	if !q.follow {
		a.writePast(w, out, since)
		return
	}
	a.follow(w, r, states, since)
}

// follow writes the states and then the events after since, as they happen, until the
// reader leaves or the server closes.
func (a *API) follow(w http.ResponseWriter, r *http.Request, states []event.Event, since uint64) {
	out := http.NewResponseController(w)
	w.Header().Set("Trailer", returnsTrailer)
	// The header goes out at once: the reader knows that it misses nothing from now on.
	for err := a.writeEvents(w, out, states); err == nil; {
		events := a.events.Follow(r.Context(), since, maxBatch)
		if events == nil {
			// The time for the last batch may be over, and the end must go out.
			_ = out.SetWriteDeadline(time.Now().Add(a.writeTimeout))
			if serverOf(r).returns.Load() {
				w.Header().Set(returnsTrailer, "1")
			}
			return
		}
		err = a.writeEvents(w, out, events)
		since = events[len(events)-1].Seq
	}
}

// writePast writes the events after since that are in the journal now.
func (a *API) writePast(w http.ResponseWriter, out *http.ResponseController, since uint64) {
	for last := a.events.Last(); ; {
		events := a.events.Next(since, maxBatch)
		if len(events) == 0 || a.writeEvents(w, out, events) != nil {
			return
		}
		if since = events[len(events)-1].Seq; since >= last {
			return
		}
	}
}

// writeEvents writes one event per line. It fails if the client does not read for
// writeTimeout.
func (a *API) writeEvents(w http.ResponseWriter, out *http.ResponseController, events []event.Event) error {
	if err := out.SetWriteDeadline(time.Now().Add(a.writeTimeout)); err != nil {
		return err
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	starts := a.events.Starts()
	for i := range events {
		if e := &events[i]; !e.Snapshot {
			e.Cursor = event.Cursor(starts, e.Seq)
		}
		if err := encoder.Encode(&events[i]); err != nil {
			return err
		}
	}
	return out.Flush()
}
