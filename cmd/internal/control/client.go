package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
)

// ErrNotRunning is wrapped by the errors of a Client when no daemon listens on
// the socket.
var ErrNotRunning = errors.New("holdfast is not running")

// A RefusedError is an error that the daemon answered.
type RefusedError struct {
	Code int    // HTTP status
	Text string // why
}

// Error returns the daemon's text.
func (e *RefusedError) Error() string { return e.Text }

// A Client sends requests to the daemon.
type Client struct {
	// Doubt returns what is added to the error that no daemon runs: why another may be
	// meant. It may be nil.
	Doubt func() string

	path          string
	answerTimeout time.Duration // for an answer that needs no work
	http          http.Client
}

// NewClient returns a Client of the socket at path. It connects when it is used. A
// GET request may take half a minute; POST requests and events may take as long as
// their context allows.
func NewClient(path string) *Client {
	c := &Client{path: path, answerTimeout: 30 * time.Second}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true, // most commands send one request; and no goroutine is left behind
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	return c
}

// Status returns the status of the daemon.
func (c *Client) Status(ctx context.Context) (*status.Status, error) {
	return ask[status.Status](ctx, c, http.MethodGet, "status")
}

// Version returns the version of the daemon.
func (c *Client) Version(ctx context.Context) (*VersionInfo, error) {
	return ask[VersionInfo](ctx, c, http.MethodGet, "version")
}

// Plan returns what a reload would change now.
func (c *Client) Plan(ctx context.Context) (*Plan, error) {
	return ask[Plan](ctx, c, http.MethodGet, "plan")
}

// Ack acknowledges the failures that pattern means, in the name of by, with a comment or
// "".
func (c *Client) Ack(ctx context.Context, pattern, by, comment string) (*Acked, error) {
	query := url.Values{"subject": {pattern}, "by": {by}}
	if comment != "" {
		query.Set("comment", comment)
	}
	return ask[Acked](ctx, c, http.MethodPost, "ack?"+query.Encode())
}

// Handover asks the daemon to give away the mastership of a group or lone instance,
// or of everything if name is "". It returns when another router is MASTER.
func (c *Client) Handover(ctx context.Context, name string) (*HandedOver, error) {
	return ask[HandedOver](ctx, c, http.MethodPost, "handover?name="+url.QueryEscape(name))
}

// Upgrade asks the daemon to execute the installed binary. It returns before the
// daemon does that.
func (c *Client) Upgrade(ctx context.Context) (*Upgrading, error) {
	return ask[Upgrading](ctx, c, http.MethodPost, "upgrade")
}

// Reload asks the daemon to apply its configuration file. It returns when that is done.
func (c *Client) Reload(ctx context.Context) (*Reloaded, error) {
	return ask[Reloaded](ctx, c, http.MethodPost, "reload")
}

// Events returns the events after since; with follow also future ones. The sequence
// ends with an error, when there are no more events, or when ctx is done. With
// follow, a daemon that stops is an error. After an upgrade the sequence goes on
// with the events of the new binary, without a gap.
func (c *Client) Events(ctx context.Context, since event.Position, follow bool) iter.Seq2[event.Event, error] {
	return c.events(ctx, eventsQuery{since: since, follow: follow})
}

// States returns the present state of everything that has one, as events whose
// Snapshot is set, and with follow then the events to come, as Events does: each
// change after the states once.
func (c *Client) States(ctx context.Context, follow bool) iter.Seq2[event.Event, error] {
	return c.events(ctx, eventsQuery{state: true, follow: follow})
}

func (c *Client) events(ctx context.Context, q eventsQuery) iter.Seq2[event.Event, error] {
	return func(yield func(event.Event, error) bool) {
		since, follow := q.since, q.follow
		answer, err := c.request(ctx, http.MethodGet, q.path())
		if err == nil && q.state {
			if since.Seq, err = strconv.ParseUint(answer.Header.Get(seqHeader), 10, 64); err != nil {
				answer.Body.Close()
				err = errors.New("the daemon is older than this command and cannot tell the states")
			}
		}
		for err == nil {
			since, err = readEvents(answer, since, yield)
			switch {
			case ctx.Err() != nil || errors.Is(err, errEnough) || errors.Is(err, io.EOF) && !follow:
				return
			case errors.Is(err, io.EOF) && answer.Trailer.Get(returnsTrailer) != "":
				answer, err = c.rejoin(ctx, since) //nolint:bodyclose // readEvents closes it
				if ctx.Err() != nil {
					return
				}
			case errors.Is(err, io.EOF):
				err = errors.New("the daemon ended the stream of events")
			default:
				err = fmt.Errorf("read events: %w", err)
			}
		}
		yield(event.Event{}, err)
	}
}

// path returns what is requested.
func (q eventsQuery) path() string {
	query := url.Values{"since": {q.since.String()}}
	if q.follow {
		query.Set("follow", "1")
	}
	if q.state {
		query.Set("state", "1")
	}
	return "events?" + query.Encode()
}

// errEnough means that the caller of Events stopped the iteration.
var errEnough = errors.New("enough")

// readEvents yields the events of an answer, which come after since. It returns the
// position of the last event and the reason why the answer ended.
func readEvents(answer *http.Response, since event.Position, yield func(event.Event, error) bool) (event.Position, error) {
	defer answer.Body.Close()
	for decoder := json.NewDecoder(answer.Body); ; {
		var e event.Event
		if err := decoder.Decode(&e); err != nil {
			return since, err
		}
		if !e.Snapshot {
			since = event.Position{Seq: e.Seq}
		}
		if !yield(e, nil) {
			return since, errEnough
		}
	}
}

// rejoinPause is the pause between two attempts to reach a daemon that upgrades.
const rejoinPause = 20 * time.Millisecond

// rejoin waits until the upgraded daemon answers, and follows the events after since.
func (c *Client) rejoin(ctx context.Context, since event.Position) (*http.Response, error) {
	limit := time.NewTimer(c.answerTimeout)
	defer limit.Stop()
	pause := time.NewTicker(rejoinPause)
	defer pause.Stop()
	err := errors.New("the daemon did not come back")
	for {
		select {
		case <-pause.C:
		case <-limit.C:
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		var answer *http.Response
		answer, err = c.request(ctx, http.MethodGet, eventsQuery{since: since, follow: true}.path())
		// Whatever else is wrong with a socket that is being left or made passes.
		if refused := (*RefusedError)(nil); err == nil || errors.As(err, &refused) {
			return answer, err
		}
	}
}

func ask[T any](ctx context.Context, c *Client, method, what string) (*T, error) {
	if method == http.MethodGet {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.answerTimeout)
		defer cancel()
	}
	answer, err := c.request(ctx, method, what)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	value := new(T)
	if err := json.NewDecoder(answer.Body).Decode(value); err != nil {
		return nil, fmt.Errorf("decode the daemon's answer: %w", err)
	}
	return value, nil
}

// request returns an answer with a status below 400. The caller closes its body.
func (c *Client) request(ctx context.Context, method, what string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://holdfast/v1/"+what, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	answer, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(err)
	}
	if answer.StatusCode < 400 {
		return answer, nil
	}
	defer answer.Body.Close()
	var f failure
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&f); err != nil || f.Error == "" {
		f.Error = "the daemon answered " + answer.Status
	}
	return nil, &RefusedError{Code: answer.StatusCode, Text: f.Error}
}

// explain returns an error that names the probable cause of a failed connection. It
// removes the URL that http adds, which means nothing to the user.
func (c *Client) explain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: there is no control socket %s%s", ErrNotRunning, c.path, c.doubt())
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nobody listens on the control socket %s%s", ErrNotRunning, c.path, c.doubt())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the daemon does not answer on the control socket %s", c.path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("no permission to use the control socket %s: try as root", c.path)
	}
	return fmt.Errorf("ask the daemon: %w", err)
}

func (c *Client) doubt() string {
	if c.Doubt == nil {
		return ""
	}
	return c.Doubt()
}
