package control

import (
	"context"
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
	since  uint64
	follow bool
}

func parseEventsQuery(r *http.Request) (q eventsQuery, err error) {
	values := r.URL.Query()
	if text := values.Get("since"); text != "" {
		if q.since, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, fmt.Errorf("since must be the number of an event, not %q", text)
		}
	}
	if text := values.Get("follow"); text != "" {
		if q.follow, err = strconv.ParseBool(text); err != nil {
			return q, fmt.Errorf("follow must be 1 or 0, not %q", text)
		}
	}
	return q, nil
}

func (s *Server) serveEvents(w http.ResponseWriter, r *http.Request) {
	q, err := parseEventsQuery(r)
	if err != nil {
		s.fail(w, http.StatusBadRequest, err)
		return
	}
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		s.fail(w, http.StatusServiceUnavailable, errors.New("too many clients are reading events"))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()

	w.Header().Set("Content-Type", "application/jsonl")
	out := http.NewResponseController(w)
	if !q.follow {
		s.writePast(w, out, q.since)
		return
	}
	w.Header().Set("Trailer", returnsTrailer)
	// Send the header at once: it tells the client that it gets every event from now on.
	for err := out.Flush(); err == nil; {
		events := s.events.Follow(ctx, q.since, maxBatch)
		if events == nil {
			if s.returns.Load() {
				w.Header().Set(returnsTrailer, "1")
			}
			return
		}
		err = s.writeEvents(w, out, events)
		q.since = events[len(events)-1].Seq
	}
}

// writePast writes the events after since that are in the journal now.
func (s *Server) writePast(w http.ResponseWriter, out *http.ResponseController, since uint64) {
	for last := s.events.Last(); ; {
		events := s.events.Next(since, maxBatch)
		if len(events) == 0 || s.writeEvents(w, out, events) != nil {
			return
		}
		if since = events[len(events)-1].Seq; since >= last {
			return
		}
	}
}

// writeEvents writes one event per line. It fails if the client does not read for
// writeTimeout.
func (s *Server) writeEvents(w http.ResponseWriter, out *http.ResponseController, events []event.Event) error {
	if err := out.SetWriteDeadline(time.Now().Add(s.writeTimeout)); err != nil {
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
