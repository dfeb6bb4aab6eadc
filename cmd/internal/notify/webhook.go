package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"holdfast/cmd/internal/event"
)

// WebhookVersion is the version of the documents that webhooks get.
const WebhookVersion = 1

// maxAnswer is how many bytes of an answer are read. Its first line is logged.
const maxAnswer = 512

// WebhookOptions say where documents are posted.
type WebhookOptions struct {
	URL     string
	Headers map[string]string
	// Secret is the key of the signature; "" is none.
	Secret string
	// Token is sent as "Authorization: Bearer"; "" is none.
	Token    string
	Timeout  time.Duration // of one request, from the connection to the end of the answer
	CA       []byte        // trusted certificates, PEM; nil: the system's
	Director string
}

// A Webhook posts one document for each event:
//
//	{"version":1,"director":"lvs1","event":{"seq":12,"at":"2026-03-01T12:00:00Z","kind":"instance",...}}
//
// where the event is as `holdfast events --json` writes it. Header
// Holdfast-Signature is "sha256=" and the hexadecimal HMAC-SHA256 of the body.
// A document that was not answered in time is posted again. A receiver recognises
// duplicates by seq and at.
type Webhook struct {
	o      WebhookOptions
	client *http.Client
}

type webhookDocument struct {
	Version  int          `json:"version"`
	Director string       `json:"director"`
	Event    *event.Event `json:"event"`
}

// NewWebhook returns a transport. o.CA holds a certificate unless it is nil.
func NewWebhook(o WebhookOptions) *Webhook {
	transport := &http.Transport{ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConns: 1}
	if o.CA != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(o.CA)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return &Webhook{o: o, client: &http.Client{
		Transport: transport, Timeout: o.Timeout,
		// A redirect would hand the signed document to another server.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Deliver implements Transport.
func (w *Webhook) Deliver(ctx context.Context, events []event.Event) (int, error) {
	for i := range events {
		if err := w.post(ctx, &events[i]); err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// Close implements Transport.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

func (w *Webhook) post(ctx context.Context, e *event.Event) error {
	body, err := json.Marshal(webhookDocument{WebhookVersion, w.o.Director, e})
	if err != nil {
		return &Refused{Err: fmt.Errorf("write the document: %w", err)}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.o.URL, bytes.NewReader(body))
	if err != nil {
		return &Refused{Err: err}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "holdfast")
	// Package net/http posts again what met the end of a kept connection. Without this key,
	// which is not sent without a value, it does so with GET alone.
	r.Header["Idempotency-Key"] = nil
	for name, value := range w.o.Headers {
		r.Header.Set(name, value)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	if w.o.Token != "" {
		r.Header.Set("Authorization", "Bearer "+w.o.Token)
	}
	if w.o.Secret != "" {
		mac := hmac.New(sha256.New, []byte(w.o.Secret))
		mac.Write(body)
		r.Header.Set("Holdfast-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	answer, err := w.client.Do(r)
	if err != nil {
		// Leave out the URL: it often contains a secret.
		if whole := (*url.Error)(nil); errors.As(err, &whole) {
			err = whole.Err
		}
		return fmt.Errorf("post: %w", err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return verdict(answer, text)
}

// verdict returns nil for a good answer, a Refused error if a retry is pointless,
// and another error if the document should be posted again.
func verdict(answer *http.Response, text []byte) error {
	code := answer.StatusCode
	if code >= 200 && code <= 299 {
		return nil
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	err := fmt.Errorf("answer %s", strings.TrimSpace(answer.Status+" "+oneLine(first)))
	switch {
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return err
	}
	return &Refused{Err: err}
}
