package control

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"holdfast/cmd/internal/event"
)

// doorHandler returns what the clients of a door are answered.
func doorHandler(t *testing.T, d Door) http.Handler {
	t.Helper()
	say := func(text string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	}
	a := NewAPI(Options{
		Backend: &fakeBackend{}, Events: event.NewJournal(10, 0), Log: slog.New(slog.DiscardHandler),
		Metrics: say("metrics"), Page: say("page"),
	})
	t.Cleanup(a.Close)
	s := a.NewServer(d)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.http.Handler.ServeHTTP(w, r.WithContext(s.http.BaseContext(nil)))
	})
}

// A door gives its parts and no other. Paths of another part are never the page's.
func TestDoorParts(t *testing.T) {
	const missing = http.StatusNotFound
	for _, test := range []struct {
		name string
		door Door
		want map[string]int // status by path
	}{
		{"nothing", Door{}, map[string]int{"/": missing, "/metrics": missing, "/v1/version": missing}},
		{"metrics", Door{Metrics: true}, map[string]int{"/": missing, "/metrics": 200, "/v1/version": missing}},
		{"page", Door{Page: true}, map[string]int{"/": 200, "/app.js": 200, "/metrics": missing, "/v1/version": missing}},
		{"api", Door{API: true}, map[string]int{"/": missing, "/metrics": missing, "/v1/version": 200, "/v1/x": missing}},
		{"all", Door{API: true, Metrics: true, Page: true}, map[string]int{"/": 200, "/metrics": 200, "/v1/version": 200, "/v1/x": missing}},
	} {
		h := doorHandler(t, test.door)
		for path, want := range test.want {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != want {
				t.Errorf("%s: GET %s: %d, want %d", test.name, path, w.Code, want)
			}
		}
	}
}
