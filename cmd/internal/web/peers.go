package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// peerPause is the time between two questions to a peer.
	peerPause = 3 * time.Second
	// peerTimeout bounds a question.
	peerTimeout = 2 * time.Second
	// maxSummary bounds the size of an answer.
	maxSummary = 1 << 20
)

// A Peer is another director.
type Peer struct {
	Name string
	URL  string // of its listener
	CA   string // trusted certificates in PEM format; "": those of the system
	// Certificate and Key prove to the peer who asks, in PEM format; "": nothing does.
	Certificate, Key string
}

// A peerRow is a row of the table of peers.
type peerRow struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Asked is false until the first answer or failure.
	Asked bool `json:"asked"`
	// Error is why the peer does not answer; "" if it answers.
	Error string `json:"error,omitempty"`
	// Since is since when it answers, or since when it does not.
	Since   time.Time `json:"since,omitzero"`
	Masters int       `json:"masters"` // units of which it is MASTER
	*Summary
}

// peers asks other directors for their summaries while somebody looks.
type peers struct {
	log     *slog.Logger
	changed chan struct{} // has an element when set was called

	mu   sync.Mutex
	list []*peer
}

func newPeers(log *slog.Logger) *peers { return &peers{log: log, changed: make(chan struct{}, 1)} }

// A peer is a director with its latest answer, which mu of peers guards.
type peer struct {
	Peer
	client *http.Client
	row    peerRow
}

// set replaces the peers. Those that did not change keep their answers.
func (p *peers) set(list []Peer) {
	p.mu.Lock()
	old := p.list
	p.list = make([]*peer, 0, len(list))
	for _, want := range list {
		if i := slices.IndexFunc(old, func(o *peer) bool { return o.Peer == want }); i >= 0 {
			p.list = append(p.list, old[i])
		} else {
			p.list = append(p.list, &peer{Peer: want, client: newClient(&want), row: peerRow{Name: want.Name, URL: want.URL}})
		}
	}
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// newClient returns a client for one peer. The configuration has checked the
// certificates.
func newClient(p *Peer) *http.Client {
	settings := &tls.Config{}
	if p.CA != "" {
		settings.RootCAs = x509.NewCertPool()
		settings.RootCAs.AppendCertsFromPEM([]byte(p.CA))
	}
	if pair, err := tls.X509KeyPair([]byte(p.Certificate), []byte(p.Key)); err == nil {
		settings.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{
		Timeout: peerTimeout,
		// No proxy: directors reach each other. No connection is left when nobody looks.
		Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, IdleConnTimeout: 2 * peerPause, MaxIdleConnsPerHost: 1},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it redirects to another address")
		},
	}
}

// run asks the peers until ctx is done.
func (p *peers) run(ctx context.Context) {
	for ctx.Err() == nil {
		p.mu.Lock()
		list := p.list
		p.mu.Unlock()
		var all sync.WaitGroup
		for _, each := range list {
			all.Go(func() { p.ask(ctx, each) })
		}
		all.Wait()
		select {
		case <-time.After(peerPause):
		case <-p.changed:
		case <-ctx.Done():
		}
	}
}

// ask asks one peer and records what it says.
func (p *peers) ask(ctx context.Context, each *peer) {
	summary, err := each.fetch(ctx)
	if ctx.Err() != nil {
		return
	}
	reason := ""
	if err != nil {
		reason = plainly(err)
		p.log.Debug("a peer does not answer the status page", "peer", each.Name, "err", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	each.record(time.Now(), summary, reason)
}

// record notes an answer, or why there was none.
func (p *peer) record(now time.Time, summary *Summary, reason string) {
	r := &p.row
	if !r.Asked || (r.Error == "") != (reason == "") {
		r.Since = now
	}
	r.Asked, r.Error = true, reason
	if summary != nil {
		r.Summary, r.Masters = summary, summary.masters()
		r.Now = time.Time{} // it would make every row a change
	}
}

func (p *peer) fetch(ctx context.Context) (*Summary, error) {
	address, err := url.JoinPath(p.URL, "page/summary")
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSummary+1))
	switch {
	case err != nil:
		return nil, err
	case len(body) > maxSummary:
		return nil, fmt.Errorf("its answer is longer than %d bytes", maxSummary)
	}
	var s Summary
	if err := json.Unmarshal(body, &s); err != nil || s.Version != summaryVersion {
		return nil, errors.New("its answer is not that of holdfast")
	}
	return &s, nil
}

// plainly returns why a question failed, without the address that the page shows
// beside it.
func plainly(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return fmt.Sprintf("it has not answered within %s", peerTimeout)
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "dial" {
		err = operation.Err
	}
	return strings.TrimPrefix(err.Error(), "tls: ")
}

// table returns what is known of the peers.
func (p *peers) table() table {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := table{name: "peers"}
	for _, each := range p.list {
		t.add(each.Name, &each.row)
	}
	return t
}
