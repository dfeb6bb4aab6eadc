package keepalived

import (
	"cmp"
	"slices"
	"time"

	"holdfast/conf/convert"
)

// A check is one checker of a real_server, as keys of holdfast.
type check struct {
	at       convert.Position
	comments []string
	kind     string // the type in holdfast
	alpha    bool
	keys     []checkKey
	tls      []checkKey
	requests [][]checkKey
}

type checkKey struct {
	at    convert.Position
	key   string
	value any
}

// values returns what matters for equality: everything but positions.
func (k *check) values() [][2]any {
	var list [][2]any
	add := func(keys []checkKey) {
		for _, x := range keys {
			list = append(list, [2]any{x.key, x.value})
		}
		list = append(list, [2]any{"", nil})
	}
	add(k.keys)
	add(k.tls)
	for _, r := range k.requests {
		add(r)
	}
	return list
}

func (k *check) set(at convert.Position, key string, value any) {
	k.keys = append(k.keys, checkKey{at, key, value})
}

// checkers are the blocks of keepalived, with the kinds of holdfast and the defaults
// of keepalived.
var checkers = map[string]struct {
	kind  string
	retry int
	delay time.Duration // delay_before_retry; 0: delay_loop
	read  func(*converter, *check, *realServer, *directive)
}{
	"TCP_CHECK":  {"tcp", 1, time.Second, nil},
	"HTTP_GET":   {"http", 1, 3 * time.Second, (*converter).readHTTP},
	"SSL_GET":    {"https", 1, 3 * time.Second, (*converter).readHTTP},
	"SMTP_CHECK": {"smtp", 1, time.Second, (*converter).readSMTP},
	"DNS_CHECK":  {"dns", 3, 0, (*converter).readDNS},
	"UDP_CHECK":  {"udp", 1, time.Second, (*converter).readUDP},
	"PING_CHECK": {"ping", 1, time.Second, nil},
	"MISC_CHECK": {"external", 0, time.Second, (*converter).readMisc},
	"FILE_CHECK": {"file", 0, 0, (*converter).readFile},
	"BFD_CHECK":  {"bfd", 0, 0, (*converter).readBFDCheck},
}

// The other defaults of keepalived's checkers.
const (
	defaultDelayLoop      = time.Minute
	defaultConnectTimeout = 5 * time.Second
)

// readChecks reads the checkers of a server.
func (c *converter) readChecks(r *realServer) {
	for _, d := range r.body {
		if d.word == nil {
			continue
		}
		kind, known := checkers[d.word.name]
		if !known {
			continue
		}
		d.used = true
		hosts := all(d.body, "host")
		if len(hosts) == 0 {
			hosts = []*directive{nil}
		}
		for _, host := range hosts {
			k := &check{at: d.at, comments: d.comments, kind: kind.kind}
			if alpha := last(d.body, "alpha"); alpha != nil {
				k.alpha, _ = truth(alpha)
			}
			if kind.kind != "file" && kind.kind != "bfd" {
				c.readPace(k, r, d, host, kind.retry, kind.delay)
			}
			c.readTarget(k, d, host)
			if kind.read != nil {
				kind.read(c, k, r, d)
			}
			r.checks = append(r.checks, k)
		}
	}
}

// checkBody returns the words of a checker and of one of its hosts, which may be nil.
func checkBody(d, host *directive) []*directive {
	if host == nil {
		return d.body
	}
	return append(slices.Clone(d.body), host.body...)
}

// readPace sets when the check asks. keepalived asks every delay_loop. When a server
// that is up fails, it asks again after delay_before_retry, as often as retry says,
// and then takes it down. One success brings it up.
func (c *converter) readPace(k *check, r *realServer, d, host *directive, retry int, delay time.Duration) {
	timing := func(name string, otherwise time.Duration) (time.Duration, convert.Position) {
		outer := r.pick(name)
		from := last(checkBody(d, host), name)
		if from == nil {
			from = outer
		}
		if from == nil {
			return otherwise, d.at
		}
		v, ok := seconds(from.arg(1))
		if !ok || v == 0 && name == "delay_loop" {
			c.report.Person(from.at, "%s: keepalived does not understand %q as a number of seconds: %s was written", name, from.arg(1), duration(otherwise))
			return otherwise, from.at
		}
		return v, from.at
	}
	loop, loopAt := timing("delay_loop", defaultDelayLoop)
	timeout, timeoutAt := timing("connect_timeout", defaultConnectTimeout)
	if k.kind == "external" {
		timeout, timeoutAt = loop, loopAt
		if m := last(d.body, "misc_timeout"); m != nil {
			if v, ok := seconds(m.arg(1)); ok && v > 0 {
				timeout, timeoutAt = v, m.at
			}
		}
	}
	if delay == 0 {
		delay = loop
	}
	between, betweenAt := timing("delay_before_retry", delay)
	retryAt := d.at
	outer := r.pick("retry")
	if from := cmp.Or(last(d.body, "retry", "nb_get_retry"), outer); from != nil {
		n, ok := number(from.arg(1), 0, 999)
		if !ok {
			c.report.Person(from.at, "%s: keepalived ignores %q", from.name(), from.arg(1))
			n = retry
		}
		retry, retryAt = n, from.at
	}
	if timeout > loop {
		c.report.Note(timeoutAt, "the timeout of %s is longer than the interval of %s: in holdfast a check has at most its interval, so that was written", duration(timeout), duration(loop))
		timeout = loop
	}
	k.set(loopAt, "interval", duration(loop))
	k.set(timeoutAt, "timeout", duration(timeout))
	if retry > 0 && between > 0 && between != loop {
		k.set(betweenAt, "retry_interval", duration(between))
	}
	k.set(d.at, "rise", 1)
	k.set(retryAt, "fall", retry+1)
}

// readTarget sets whom the check asks, and from where.
func (c *converter) readTarget(k *check, d, host *directive) {
	body := checkBody(d, host)
	for _, x := range []struct{ word, key string }{
		{"connect_ip", "address"}, {"connect_port", "port"}, {"bindto", "source"}, {"bind_if", "device"}, {"fwmark", "mark"},
	} {
		from := last(body, x.word)
		if from == nil {
			continue
		}
		switch x.key {
		case "port", "mark":
			if x.key == "port" && k.kind == "ping" {
				continue
			}
			k.set(from.at, x.key, plain(from.arg(1)))
			if from.arg(2) != "" {
				c.report.Person(from.at, "%s: keepalived takes one port and ignores %q", x.word, from.arg(2))
			}
		default:
			k.set(from.at, x.key, from.arg(1))
		}
	}
}

// keyDefaults are what a key of a check is without a value, for a server whose check
// has no such key while that of the service has.
var keyDefaults = map[string]any{
	"port": 0, "retry_interval": "0s", "host": "", "path": "/", "status": []any{"200-299"}, "body": "", "body_not": "", "digest": "",
	"send": "", "send_hex": "", "expect": "", "silence_ok": false, "hello": "", "weight": "none", "reverse": false, "record": "SOA", "name": ".",
}

// draftChecks makes the tables of checks in a service or a server. A server with one
// check inherits from that of the service, if there is one only.
func (c *converter) draftChecks(t *convert.Table, at convert.Position, list, inherited []*check) {
	if len(list) == 0 {
		t.Sub("check", at).Set(at, "type", "none")
		return
	}
	if len(list) == 1 && len(inherited) <= 1 {
		table := t.Sub("check", list[0].at)
		list[0].draft(table)
		if len(inherited) == 1 && inherited[0].kind == list[0].kind {
			for _, x := range inherited[0].keys {
				if value, known := keyDefaults[x.key]; known && !table.Has(x.key) {
					table.Set(list[0].at, x.key, value)
				}
			}
		}
		return
	}
	for _, k := range list {
		k.draft(t.List("check", k.at))
	}
}

func (k *check) draft(t *convert.Table) {
	t.Set(k.at, "type", k.kind)
	t.Comment("", k.comments...)
	for _, x := range k.keys {
		t.Set(x.at, x.key, x.value)
	}
	for _, x := range k.tls {
		t.Sub("tls", k.at).Set(x.at, x.key, x.value)
	}
	for _, keys := range k.requests {
		request := t.List("request", k.at)
		for _, x := range keys {
			request.Set(x.at, x.key, x.value)
		}
	}
}
