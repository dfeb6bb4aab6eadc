package conf

import (
	"crypto/x509"
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
	Name    string
	URL     string
	Events  []string // of EventKinds; nil is none
	Headers []Header // sorted by name
	// Secret is the key that documents are signed with, Token proves who we are;
	// both were read from their files. "": there is none.
	SecretFile, TokenFile string
	Secret, Token         auth.Secret
	CA, CAText            string // path of a PEM file, and what it held; "": the system's
	Timeout               time.Duration
	Retry                 Retry
}

// A Header is a field of an HTTP request.
type Header struct{ Name, Value string }

// Retry says what becomes of what cannot be delivered.
type Retry struct {
	Pause    time.Duration // after the first failure; it doubles
	PauseMax time.Duration
	GiveUp   time.Duration // age at which an event is dropped
	Queue    int           // events that wait at most
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

// toldKinds are the events that people and their programs hear of unless told
// otherwise: what changes, not what leads to it.
var toldKinds = []string{"instance", "group", "rival", "service", "server"}

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

// headerName is what the name of a header may look like; HTTP allows more.
var headerName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// ownHeaders are set by what sends.
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
		var table inlineTable
		for _, h := range list {
			table = append(table, pair{h.Name, h.Value})
		}
		return table
	},
}

func (w *Webhook) visit(t *table) {
	need(t, "name", &w.Name, name)
	need(t, "url", &w.URL, httpURL)
	visitEvents(t, &w.Events, toldKinds)
	field(t, "headers", &w.Headers, headers, nil)
	field(t, "secret_file", &w.SecretFile, optionalPath, "")
	field(t, "token_file", &w.TokenFile, optionalPath, "")
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
	w.CAText = readCAFile(t, w.CA)
}

// readSecretFile returns what the file of a key holds; "" is no file.
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

// readCAFile returns what the file of the key ca holds; "" is no file.
func readCAFile(t *table, path string) string {
	if path == "" || !t.ok("ca") {
		return ""
	}
	pem, err := t.in.env.readFile(path)
	switch {
	case err != nil:
		t.failf("ca", "%v", err)
	case !x509.NewCertPool().AppendCertsFromPEM(pem):
		t.failf("ca", "%s contains no certificate in PEM format", path)
	}
	return string(pem)
}
