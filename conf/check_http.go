package conf

import (
	"fmt"
	"strconv"
	"strings"

	"holdfast/checker/probe"
)

func visitHTTP(t *table, s *probe.HTTP, inherited probe.HTTP) {
	field(t, "method", &s.Method, text, inherited.Method)
	field(t, "host", &s.Host, text, inherited.Host)
	field(t, "path", &s.Path, text, inherited.Path)
	field(t, "status", &s.Status, listOf(statusRange), inherited.Status)
	field(t, "body", &s.Body, regularExpression, inherited.Body)
}

func visitHTTPS(t *table, s *probe.HTTP, inherited probe.HTTP) {
	visitHTTP(t, s, inherited)
	s.TLS = visitTLS(t, s.TLS, inherited.TLS)
}

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
