package keepalived

import (
	"regexp"
	"strconv"
	"strings"
)

// readHTTP reads HTTP_GET and SSL_GET.
func (c *converter) readHTTP(k *check, r *realServer, d *directive) {
	host := r.host
	if h := last(d.body, "virtualhost"); h != nil {
		host = h.arg(1)
	}
	var pages []*directive
	for _, url := range all(d.body, "url") {
		if last(url.body, "path") == nil {
			c.report.Person(url.at, "the url has no path: keepalived ignores it")
			skip(url.body)
			continue
		}
		pages = append(pages, url)
	}
	switch len(pages) {
	case 0:
		c.report.Person(d.at, "%s has no url with a path: keepalived does not check the server with it; the path / was written", d.name())
	case 1:
		k.keys = append(k.keys, c.page(pages[0], host)...)
		k.keys = append(k.keys, c.login(pages)...)
	default:
		c.report.Note(d.at, "%s has %d urls: keepalived asks for one of them each time, holdfast for all each time, which finds a failure sooner", d.name(), len(pages))
		if host != "" {
			k.set(d.at, "host", host)
		}
		k.keys = append(k.keys, c.login(pages)...)
		for _, url := range pages {
			k.requests = append(k.requests, c.page(url, ""))
		}
	}
	if k.kind == "https" {
		c.readTLS(k, d, host)
	}
}

// login returns the user and the password of the urls of a check. keepalived 2.4 logs in by
// Basic; a check of holdfast has one user for all its requests.
func (c *converter) login(urls []*directive) (keys []checkKey) {
	var first *directive
	for _, url := range urls {
		user, password := last(url.body, "username"), last(url.body, "password")
		switch {
		case user == nil || password == nil:
			if user != nil || password != nil {
				c.report.Person(url.at, "username and password belong together: keepalived does not log in with one of them")
			}
		case first == nil:
			first = user
			file := c.draft.Secret(c.in.Dir, "check", "secret", password.arg(1))
			keys = append(keys, checkKey{user.at, "user", user.arg(1)}, checkKey{password.at, "password_file", file})
		case user.arg(1) != first.arg(1):
			c.report.Person(user.at, "a check has one user for all its urls: make a second [[service.check]] for this one")
		}
	}
	return keys
}

// readTLS sets the keys of TLS. keepalived verifies nothing, and names the server only
// with enable_sni.
func (c *converter) readTLS(k *check, d *directive, host string) {
	k.tls = append(k.tls, checkKey{d.at, "verify", false})
	sni, name := last(d.body, "enable_sni"), last(d.body, "sni_name")
	switch {
	case name != nil && name.arg(1) != "":
		k.tls = append(k.tls, checkKey{name.at, "server_name", name.arg(1)})
	case sni != nil && host != "":
		k.tls = append(k.tls, checkKey{sni.at, "server_name", host})
	}
	if c.tls == nil {
		return
	}
	for _, x := range []struct{ word, key string }{{"certificate", "cert"}, {"key", "key"}} {
		if file := last(c.tls.body, x.word); file != nil && file.arg(1) != "" {
			k.tls = append(k.tls, checkKey{file.at, x.key, file.arg(1)})
		}
	}
}

// page returns the keys of one url.
func (c *converter) page(url *directive, host string) []checkKey {
	var keys []checkKey
	add := func(d *directive, key string, value any) { keys = append(keys, checkKey{d.at, key, value}) }
	path := last(url.body, "path")
	add(path, "path", path.arg(1))
	if h := last(url.body, "virtualhost"); h != nil {
		add(h, "host", h.arg(1))
	} else if host != "" {
		add(url, "host", host)
	}
	if s := last(url.body, "status_code"); s != nil {
		var codes []any
		for _, text := range s.args[1:] {
			if n, err := strconv.Atoi(text); err == nil {
				codes = append(codes, n)
			} else {
				codes = append(codes, text)
			}
		}
		add(s, "status", codes)
	}
	if d := last(url.body, "digest"); d != nil {
		add(d, "digest", strings.ToLower(d.arg(1)))
	}
	if d := last(url.body, "regex"); d != nil {
		key := "body"
		if last(url.body, "regex_no_match") != nil {
			key = "body_not"
		}
		if pattern, ok := c.pattern(d, last(url.body, "regex_options")); ok {
			add(d, key, pattern)
		}
	} else {
		last(url.body, "regex_options")
		last(url.body, "regex_no_match")
	}
	return keys
}

// regexFlags are the options of PCRE that Go's expressions have as flags.
var regexFlags = map[string]string{"caseless": "i", "multiline": "m", "dotall": "s", "ungreedy": "U"}

// regexIgnored are the options that change only how PCRE works.
var regexIgnored = map[string]bool{"auto_callout": true, "no_auto_possess": true, "no_start_optimize": true, "no_dotstar_anchor": true, "never_utf": true, "utf": true, "never_ucp": true, "never_backslash_c": true}

// pattern turns an expression of PCRE into one of Go.
func (c *converter) pattern(d, options *directive) (string, bool) {
	words, ok := commandWords(d.text)
	if !ok || len(words) < 2 {
		c.report.Person(d.at, "regex: there is no expression, or a quote is not closed")
		return "", false
	}
	flags := ""
	if options != nil {
		for _, o := range options.args[1:] {
			switch {
			case regexFlags[o] != "":
				flags += regexFlags[o]
			case !regexIgnored[o]:
				c.report.Person(options.at, "regex_options: Go's regular expressions have nothing like %s", o)
			}
		}
	}
	pattern := words[1]
	if flags != "" {
		pattern = "(?" + flags + ")" + pattern
	}
	if _, err := regexp.Compile(pattern); err != nil {
		c.report.Person(d.at, "regex: Go does not understand the expression (%s): write another one into the key body", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return "", false
	}
	return pattern, true
}
