package conf

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"holdfast/vrrp/auth"
)

// A Webhook is an HTTP server to which events are posted.
type Webhook struct {
	Name   string
	URL    string
	Events []string // elements of EventKinds
	// StatesOnStart: the state of everything is sent first, after a start, an upgrade,
	// and a reload that changes the webhook.
	StatesOnStart bool
	Headers       []Header // sorted by name
	// Secret is the key of the signature, and Token the bearer token. They are the
	// contents of their files; "" is none.
	SecretFile, TokenFile string
	Secret, Token         auth.Secret
	CA, CAText            string // path and content of a PEM file; "": the certificates of the system
	Timeout               time.Duration
	Retry                 Retry
}

// A Header is a header field of an HTTP request.
type Header struct{ Name, Value string }

// Retry is how deliveries that failed are repeated.
type Retry struct {
	Pause    time.Duration // after the first failure; it doubles up to PauseMax
	PauseMax time.Duration
	GiveUp   time.Duration // the age at which an event is dropped
	Queue    int           // how many events wait at most
}

func (r *Retry) visit(t *table, def Retry) {
	field(t, "retry", &r.Pause, duration(100*time.Millisecond, time.Hour), def.Pause)
	field(t, "retry_max", &r.PauseMax, duration(100*time.Millisecond, 24*time.Hour), max(def.PauseMax, r.Pause))
	field(t, "give_up", &r.GiveUp, duration(time.Second, 30*24*time.Hour), def.GiveUp)
	field(t, "queue", &r.Queue, queueLength, def.Queue)
	if t.reading() && r.PauseMax < r.Pause && t.ok("retry", "retry_max") {
		t.failf("retry_max", "must be at least retry, %s", formatDuration(r.Pause))
	}
}

// defaultKinds are the kinds of events that receivers get by default: changes of
// state, not their causes.
var defaultKinds = []string{"instance", "group", "rival", "service", "server"}

var httpURL = textual("a URL", func(s string) (string, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf(`must be a URL like "https://alerts.example/hook", not %s`, quoteShort(s))
	case u.User != nil:
		return "", fmt.Errorf("must not contain a password, because config show prints it: use token_file")
	case u.Fragment != "":
		return "", fmt.Errorf("must not have a fragment (#%s), because it is not sent to servers", u.Fragment)
	}
	return s, nil
}, func(s string) string { return s })

// headerName matches the names of headers. HTTP allows more characters.
var headerName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// ownHeaders are the headers that holdfast sets.
var ownHeaders = []string{"Authorization", "Connection", "Content-Length", "Content-Type", "Holdfast-Signature", "Transfer-Encoding"}

// headers is a table of HTTP header fields.
var headers = codec[[]Header]{
	decode: func(v value, fail func(value, string)) ([]Header, bool) {
		keys, ok := v.data.(map[string]value)
		if !ok {
			fail(v, fmt.Sprintf(`must be a table like { "X-Team" = "net" }, not %v`, v))
			return nil, false
		}
		var list []Header
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			text, good := text.decode(keys[name], fail)
			own := func(h string) bool { return strings.EqualFold(h, name) }
			switch {
			case !good:
			case !headerName.MatchString(name):
				fail(keys[name], fmt.Sprintf("%s is not the name of a header", quoteShort(name)))
			case slices.ContainsFunc(ownHeaders, own):
				fail(keys[name], name+" is reserved: holdfast sets it")
			default:
				list = append(list, Header{name, text})
				continue
			}
			ok = false
		}
		return list, ok
	},
	encode: func(list []Header) any {
		if len(list) == 0 {
			return nil
		}
		var table InlineTable
		for _, h := range list {
			table = append(table, Pair{h.Name, h.Value})
		}
		return table
	},
}

func (w *Webhook) visit(t *table) {
	need(t, "name", &w.Name, name)
	need(t, "url", &w.URL, httpURL)
	visitEvents(t, &w.Events, defaultKinds)
	field(t, "states_on_start", &w.StatesOnStart, boolean, false)
	field(t, "headers", &w.Headers, headers, nil)
	field(t, "secret_file", &w.SecretFile, optionalSecretPath, "")
	field(t, "token_file", &w.TokenFile, optionalSecretPath, "")
	field(t, "ca", &w.CA, optionalPath, "")
	field(t, "timeout", &w.Timeout, duration(100*time.Millisecond, 10*time.Minute), 10*time.Second)
	w.Retry.visit(t, Retry{Pause: time.Second, PauseMax: time.Minute, GiveUp: time.Hour, Queue: 1024})
	if !t.reading() {
		return
	}
	w.Secret = readSecretFile(t, "secret_file", w.SecretFile)
	w.Token = readSecretFile(t, "token_file", w.TokenFile)
	if strings.HasPrefix(w.URL, "http://") && t.ok("url") {
		forbidUnless(t, "with an http URL", map[string]bool{"ca": w.CA == ""})
	}
	w.CAText = readCA(t, w.CA)
}

// readSecretFile returns the content of the secret file of a key, and "" for the
// path "".
func readSecretFile(t *table, key, path string) auth.Secret {
	if path == "" || !t.ok(key) {
		return ""
	}
	s, err := t.in.env.secret(path)
	if err != nil {
		t.failf(key, "%v", err)
	}
	return s
}
