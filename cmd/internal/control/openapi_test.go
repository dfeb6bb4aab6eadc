package control

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"holdfast/docs/schema"
	"holdfast/integration/tools/golden"
)

// The description of the API, as it is written, and in one file for generators.
var (
	openAPISource = filepath.Join("..", "..", "..", "docs", "openapi.yaml")
	openAPIBundle = filepath.Join("..", "..", "..", "docs", "openapi.json")
)

// bundle says what the schemas of other files are called in openAPIBundle.
var bundle = schema.Bundle{
	"status.schema.json": {Whole: "Status"},
	"event.schema.json":  {Prefix: "Event", Whole: "Event"},
}

// openAPI returns the description of the API, which is valid.
func openAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile(openAPIBundle)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// docs/openapi.json is docs/openapi.yaml with the schemas that it refers to.
func TestOpenAPIBundle(t *testing.T) {
	want, err := bundle.OpenAPI(openAPISource)
	if err != nil {
		t.Fatal(err)
	}
	if *golden.Update {
		if err := os.WriteFile(openAPIBundle, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(openAPIBundle); err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/openapi.json is not what docs/openapi.yaml and the schemas say (%v): run go test ./cmd/internal/control -run OpenAPI -update", err)
	}
}

// Every request of the server is described, and every request that is described is
// answered.
func TestOpenAPIHasEveryRequest(t *testing.T) {
	var described, served []string
	for path, item := range openAPI(t).Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	a := &API{backend: &fakeBackend{}}
	for _, r := range a.requests() {
		served = append(served, r.pattern)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described are\n%s\nserved are\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}

// openAPIRequests are requests with the HTTP status of their answers. Together they use
// every parameter and get every kind of answer.
var openAPIRequests = []struct {
	request string
	code    int
}{
	{"GET /v1/version", 200},
	{"GET /v1/status", 200},
	{"GET /v1/events?since=0", 200},
	{"GET /v1/events?since=2026-11-28T03:00:00Z", 200},
	{"GET /v1/events?since=-1", 400},
	{"GET /v1/events?state=1", 200},
	{"GET /v1/events?follow=maybe", 400},
	{"GET /v1/plan", 200},
	{"GET /v1/servers?service=web&server=rs1", 200},
	{"POST /v1/reload", 200},
	{"POST /v1/upgrade", 200},
	{"POST /v1/handover?name=outside", 200},
	{"POST /v1/drain?service=web&server=rs1&for=5m", 200},
	{"POST /v1/drain?service=web&server=rs1&for=soon", 400},
	{"POST /v1/enable?service=web&server=rs1", 200},
	{"POST /v1/weight?service=web&server=rs1&weight=3", 200},
	{"POST /v1/weight?service=web&server=rs1&weight=heavy", 400},
	{"POST /v1/ack?subject=web&by=ann&comment=a+new+disk", 200},
	{"POST /v1/ack?subject=web&comment=" + strings.Repeat("x", maxComment+1), 400},
}

// What the server answers is what is described, with no field more.
func TestOpenAPIDescribesAnswers(t *testing.T) {
	doc := openAPI(t)
	allowed := Door{API: true, Writer: func(*http.Request) (string, error) { return "root", nil }}
	refused := Door{API: true, Writer: CertificateWriter}
	answered := map[string]bool{}
	for _, r := range openAPIRequests {
		method, url, _ := strings.Cut(r.request, " ")
		checkAnswer(t, doc, doorHandler(t, allowed), method, url, r.code)
		if method == http.MethodPost {
			checkAnswer(t, doc, doorHandler(t, refused), method, url, http.StatusForbidden)
		}
		path, _, _ := strings.Cut(url, "?")
		answered[method+" "+path] = true
	}
	for path, item := range doc.Paths.Map() {
		for _, method := range slices.Sorted(maps.Keys(item.Operations())) {
			if !answered[method+" "+path] {
				t.Errorf("no request tests %s %s", method, path)
			}
		}
	}
}

// checkAnswer sends a request, and compares the answer with what is described.
func checkAnswer(t *testing.T, doc *openapi3.T, h http.Handler, method, url string, code int) {
	t.Helper()
	request, answer := httptest.NewRequest(method, url, nil), httptest.NewRecorder()
	h.ServeHTTP(answer, request)
	if answer.Code != code {
		t.Errorf("%s %s: %d, want %d: %s", method, url, answer.Code, code, answer.Body)
		return
	}
	item := doc.Paths.Find(request.URL.Path)
	operation := item.GetOperation(method)
	for name := range request.URL.Query() {
		if operation.Parameters.GetByInAndName("query", name) == nil {
			t.Errorf("%s %s: the parameter %s is not described", method, url, name)
		}
	}
	asked := &openapi3filter.RequestValidationInput{
		Request: request,
		Route:   &routers.Route{Spec: doc, Path: request.URL.Path, PathItem: item, Method: method, Operation: operation},
	}
	if code == http.StatusOK {
		if err := openapi3filter.ValidateRequest(t.Context(), asked); err != nil {
			t.Errorf("%s %s is answered, and is not what is described: %v", method, url, err)
		}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: asked,
		Status:                 answer.Code, Header: answer.Header(),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	bodies := []string{answer.Body.String()}
	if answer.Header().Get("Content-Type") == "application/jsonl" {
		bodies = slices.Collect(strings.Lines(bodies[0])) // each line is one
	}
	for _, body := range bodies {
		input.Body = io.NopCloser(strings.NewReader(body))
		if err := openapi3filter.ValidateResponse(t.Context(), input); err != nil {
			t.Errorf("%s %s: %v\n%s", method, url, err, body)
		}
	}
}

func init() {
	openapi3filter.RegisterBodyDecoder("application/jsonl", openapi3filter.RegisteredBodyDecoder("application/json"))
}
