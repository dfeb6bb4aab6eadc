package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"holdfast/cmd/internal/status"
)

// A ServerVerb is what an operator wants of servers.
type ServerVerb string

// The verbs.
const (
	Drain  ServerVerb = "drain"  // weight 0
	Enable ServerVerb = "enable" // takes back Drain and Weight
	Weight ServerVerb = "weight" // another weight than the configured one
)

// A ServerOrder is an order of an operator.
type ServerOrder struct {
	Verb ServerVerb
	// Service and Server name the servers, as lvs.Table.Match takes them.
	Service, Server string
	Weight          int           // with the verb Weight
	For             time.Duration // after which the order ends; 0: never
	By              string        // who orders, for people
}

// Servers are servers as they are in the kernel.
type Servers struct {
	At      time.Time       `json:"at"`
	Servers []status.Server `json:"servers"`
	// Notes say what an operator may not expect, one sentence each.
	Notes []string `json:"notes,omitempty"`
}

// order returns a handler for a verb.
func (a *API) order(verb ServerVerb) http.HandlerFunc {
	return a.write(string(verb), func(w http.ResponseWriter, r *http.Request) {
		o, err := readOrder(r, verb)
		if err != nil {
			a.fail(w, http.StatusBadRequest, err)
			return
		}
		read(a, func(ctx context.Context) (*Servers, error) { return a.backend.Order(ctx, o) })(w, r)
	})
}

func readOrder(r *http.Request, verb ServerVerb) (ServerOrder, error) {
	q := r.URL.Query()
	o := ServerOrder{Verb: verb, Service: q.Get("service"), Server: q.Get("server"), By: writer(r.Context())}
	var errs []error
	if text := q.Get("for"); text != "" {
		d, err := time.ParseDuration(text)
		if err == nil && d <= 0 {
			err = errors.New("must be more than 0")
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("for=%q: %w", text, err))
		}
		o.For = d
	}
	if verb == Weight {
		n, err := strconv.Atoi(q.Get("weight"))
		if err != nil {
			errs = append(errs, fmt.Errorf("weight=%q is not a number", q.Get("weight")))
		}
		o.Weight = n
	}
	return o, errors.Join(errs...)
}

// serveServers answers with the servers that a client names.
func (a *API) serveServers(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	read(a, func(ctx context.Context) (*Servers, error) {
		return a.backend.Servers(ctx, q.Get("service"), q.Get("server"))
	})(w, r)
}

// Order carries out an order. It returns when the kernel has what was ordered. By of
// the order has no effect: the daemon knows who asks.
func (c *Client) Order(ctx context.Context, o ServerOrder) (*Servers, error) {
	q := url.Values{"service": {o.Service}, "server": {o.Server}}
	if o.For != 0 {
		q.Set("for", o.For.String())
	}
	if o.Verb == Weight {
		q.Set("weight", strconv.Itoa(o.Weight))
	}
	return ask[Servers](ctx, c, http.MethodPost, string(o.Verb)+"?"+q.Encode())
}

// Servers returns the servers that are named as for an order.
func (c *Client) Servers(ctx context.Context, service, server string) (*Servers, error) {
	q := url.Values{"service": {service}, "server": {server}}
	return ask[Servers](ctx, c, http.MethodGet, "servers?"+q.Encode())
}
