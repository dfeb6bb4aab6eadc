package conf

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"holdfast/checker/probe"
)

func visitHTTP(t *table, s *probe.HTTP, inherited probe.HTTP) {
	visitAnyHTTP(t, s, inherited)
	field(t, "proxy", &s.Proxy, boolean, inherited.Proxy)
	if t.reading() && s.Password != "" && s.Auth == probe.AuthBasic && t.has("password_file") {
		t.warnf("password_file", "the check sends this password without TLS: use type https, or auth = \"digest\" if the server knows that")
	}
}

func visitHTTPS(t *table, s *probe.HTTP, inherited probe.HTTP) {
	visitAnyHTTP(t, s, inherited)
	s.TLS = visitTLS(t, s.TLS, inherited.TLS)
}

// visitAnyHTTP walks over the keys that http and https have in common.
func visitAnyHTTP(t *table, s *probe.HTTP, inherited probe.HTTP) {
	visitRequest(t, &s.HTTPRequest, inherited.HTTPRequest)
	visitLogin(t, &s.Login, inherited.Login)
	field(t, "auth", &s.Auth, wordOf(probe.HTTPAuths()), inherited.Auth)
	field(t, "http_version", &s.Version, httpVersion, inherited.Version)
	field(t, "redirects", &s.Redirects, integer[int](0, 10), inherited.Redirects)
	field(t, "reuse", &s.Reuse, boolean, inherited.Reuse)
	field(t, "max_body", &s.MaxBody, integer[int](1, 1<<30), inherited.MaxBody)
	field(t, "weight_header", &s.WeightHeader, text, inherited.WeightHeader)
	field(t, "weight_json", &s.WeightJSON, text, inherited.WeightJSON)
	visitRequests(t, s, inherited)
}

// requestKeys are the keys of one request.
var requestKeys = []string{
	"method", "host", "path", "headers", "send",
	"status", "expect_headers", "body", "body_not", "json", "digest",
}

// visitRequests walks over the tables of several requests. The keys of the check are
// the defaults of each. A server without such tables inherits those of its service as
// they are.
func visitRequests(t *table, s *probe.HTTP, from probe.HTTP) {
	inherited := from.Requests
	// Keys that differ from the service's need a list of their own, for which they are
	// the defaults.
	same := len(inherited) == 0 || reflect.DeepEqual(s.HTTPRequest, from.HTTPRequest)
	if t.brief && same && reflect.DeepEqual(s.Requests, inherited) {
		return
	}
	if !t.reading() && len(s.Requests) == 0 && len(inherited) > 0 {
		t.out.put("request", []any{})
	}
	tables := list(t, "request", &s.Requests, func(t *table, r *probe.HTTPRequest) {
		visitRequest(t, r, s.HTTPRequest)
		if !t.reading() {
			return
		}
		for _, fault := range r.Validate() {
			if f, ok := errors.AsType[*probe.FieldError](fault); ok && t.ok(f.Key) {
				t.failf(f.Key, "%s", f.Problem)
			}
		}
	})
	if !t.reading() {
		return
	}
	for _, request := range tables {
		if !request.clean() {
			t.spoil("request")
		}
	}
	if !t.has("request") && len(inherited) > 0 {
		s.Requests = inherited
		t.forbid("on the requests of the service: give this check a list of its own", requestKeys...)
	}
}

func visitRequest(t *table, r *probe.HTTPRequest, inherited probe.HTTPRequest) {
	field(t, "method", &r.Method, text, inherited.Method)
	field(t, "host", &r.Host, text, inherited.Host)
	field(t, "path", &r.Path, text, inherited.Path)
	field(t, "headers", &r.Headers, fieldsOf(text), inherited.Headers)
	field(t, "send", &r.Send, anyText, inherited.Send)
	field(t, "status", &r.Status, listOf(statusRange), inherited.Status)
	field(t, "expect_headers", &r.ExpectHeaders, fieldsOf(regularExpression), inherited.ExpectHeaders)
	field(t, "body", &r.Body, regularExpression, inherited.Body)
	field(t, "body_not", &r.BodyNot, regularExpression, inherited.BodyNot)
	field(t, "json", &r.JSON, fieldsOf(regularExpression), inherited.JSON)
	field(t, "digest", &r.Digest, text, inherited.Digest)
}

var httpVersion = wordOf(probe.HTTPVersions())

// statusRange is 200 or "200-299".
var statusRange = simple(func(v value) (probe.StatusRange, error) {
	var r probe.StatusRange
	ok := false
	switch data := v.data.(type) {
	case int64:
		r.Low, r.High, ok = int(data), int(data), true
	case string:
		low, high, found := strings.Cut(data, "-")
		if !found {
			high = low
		}
		var err1, err2 error
		r.Low, err1 = strconv.Atoi(low)
		r.High, err2 = strconv.Atoi(high)
		ok = err1 == nil && err2 == nil
	}
	if !ok {
		return r, fmt.Errorf(`must be a status like 200 or a range like "200-299", not %v`, unnamed(v))
	}
	return r, nil
}, func(r probe.StatusRange) any {
	if r.Low == r.High {
		return int64(r.Low)
	}
	return r.String()
})

// fieldsOf is a table of texts by name, sorted by name. The empty table is written,
// because it differs from one that is inherited.
func fieldsOf(c codec[string]) codec[[]probe.Field] {
	return codec[[]probe.Field]{
		decode: func(v value, fail func(value, string)) ([]probe.Field, bool) {
			keys, ok := v.data.(map[string]value)
			if !ok {
				fail(v, fmt.Sprintf(`must be a table like { name = "value" }, not %v`, v))
				return nil, false
			}
			var all []probe.Field
			for _, name := range slices.Sorted(maps.Keys(keys)) {
				text, good := c.decode(keys[name], fail)
				ok = ok && good
				all = append(all, probe.Field{Name: name, Value: text})
			}
			return all, ok
		},
		encode: func(all []probe.Field) any {
			table := InlineTable{}
			for _, f := range all {
				table = append(table, Pair{f.Name, f.Value})
			}
			return table
		},
	}
}
