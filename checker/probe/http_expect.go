package probe

import (
	"bytes"
	"crypto/md5" //nolint:gosec // keepalived's digests are MD5; nothing is protected by them
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// An expectation is what the answer to a request must be, and what is taken from it.
type expectation struct {
	statuses  []StatusRange
	headers   []namedPattern
	body, not *regexp.Regexp // nil: any
	json      []namedPattern // by path
	digest    []byte         // nil: any

	weightHeader string
	weightJSON   string // path
	maxBody      int
}

// A namedPattern is the regular expression for what has a name.
type namedPattern struct {
	name    string
	pattern *regexp.Regexp
}

func newExpectation(r *HTTPRequest, s *HTTP) *expectation {
	e := &expectation{
		statuses: r.Status, headers: patterns(r.ExpectHeaders), body: compile(r.Body), not: compile(r.BodyNot), json: patterns(r.JSON),
		weightHeader: s.WeightHeader, maxBody: s.MaxBody,
	}
	if r.Method != http.MethodHead {
		e.weightJSON = s.WeightJSON
	}
	if r.Digest != "" {
		e.digest, _ = hex.DecodeString(r.Digest) // valid settings do not fail
	}
	return e
}

func patterns(fields []Field) []namedPattern {
	var all []namedPattern
	for _, f := range fields {
		all = append(all, namedPattern{f.Name, regexp.MustCompile(f.Value)})
	}
	return all
}

// findings are what was found in an answer that is well.
type findings struct {
	weights []string // texts that say a weight
	ended   bool     // the body was read to its end
}

// judge returns what an answer holds, or what is wrong with it. It reads at most *left
// bytes of the body.
func (e *expectation) judge(answer *http.Response, left *int) (found findings, err error) {
	if !e.status(answer.StatusCode) {
		return found, e.unwanted(answer)
	}
	if err := e.judgeHeaders(answer); err != nil {
		return found, err
	}
	if e.weightHeader != "" {
		if text := strings.TrimSpace(answer.Header.Get(e.weightHeader)); text != "" {
			found.weights = append(found.weights, text)
		}
	}
	if !e.wantsBody() {
		found.ended, err = readThrough(answer.Body, left)
		return found, err
	}
	return found, e.judgeBody(answer, left, &found)
}

// wantsBody reports whether the body is looked at.
func (e *expectation) wantsBody() bool {
	return e.body != nil || e.not != nil || len(e.json) > 0 || e.digest != nil || e.weightJSON != ""
}

// wantsStatus reports whether the status of an answer is all that is looked at.
func (e *expectation) wantsStatus() bool {
	return !e.wantsBody() && len(e.headers) == 0 && e.weightHeader == ""
}

// status reports whether a status code is wanted.
func (e *expectation) status(code int) bool {
	for _, r := range e.statuses {
		if r.Low <= code && code <= r.High {
			return true
		}
	}
	return false
}

func (e *expectation) unwanted(answer *http.Response) error {
	text := "HTTP " + strconv.Itoa(answer.StatusCode)
	if reason := http.StatusText(answer.StatusCode); reason != "" {
		text += " " + reason
	}
	if to := answer.Header.Get("Location"); to != "" {
		text += " to " + excerpt([]byte(to))
	}
	wanted := make([]string, len(e.statuses))
	for i, r := range e.statuses {
		wanted[i] = r.String()
	}
	return fmt.Errorf("%s, want %s", text, strings.Join(wanted, ", "))
}

func (e *expectation) judgeHeaders(answer *http.Response) error {
	for _, h := range e.headers {
		values := answer.Header.Values(h.name)
		if len(values) == 0 {
			return fmt.Errorf("the answer has no header %s, want one that matches %q", h.name, h.pattern)
		}
		if text := strings.Join(values, ", "); !h.pattern.MatchString(text) { // RFC 9110 §5.3
			return fmt.Errorf("header %s is %s, which does not match %q", h.name, excerpt([]byte(text)), h.pattern)
		}
	}
	return nil
}

// judgeBody looks at the body for all that the expectation says of it.
func (e *expectation) judgeBody(answer *http.Response, left *int, found *findings) error {
	var raw io.Reader = &cutter{r: answer.Body, left: left}
	digest := e.newDigest()
	if digest != nil {
		raw = io.TeeReader(raw, digest)
	}
	v := e.newView()
	seen, err := v.see(answer, raw, e.maxBody)
	if err == nil { // a decoder can stop before the end
		_, err = io.Copy(io.Discard, raw)
	}
	seen.cut = errors.Is(err, errCut)
	if err != nil && !seen.cut {
		return &readError{plainer(err)}
	}
	found.ended = !seen.cut
	if err := e.judgeDigest(digest, seen.cut); err != nil {
		return err
	}
	if v.weight != nil && v.weight.text != "" {
		found.weights = append(found.weights, v.weight.text)
	}
	return v.verdict(seen)
}

// newDigest returns the hash for the wanted digest; nil if any will do.
func (e *expectation) newDigest() hash.Hash {
	switch len(e.digest) {
	case 0:
		return nil
	case md5.Size:
		return md5.New() //nolint:gosec // see the import
	}
	return sha256.New()
}

func (e *expectation) judgeDigest(digest hash.Hash, cut bool) error {
	if digest == nil {
		return nil
	}
	if cut {
		return fmt.Errorf("the digest of the body is not known, because the body is longer than %d bytes (max_body)", e.maxBody)
	}
	if got := digest.Sum(nil); !bytes.Equal(got, e.digest) {
		return fmt.Errorf("the digest of the body is %x, want %x", got, e.digest)
	}
	return nil
}
