package director

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"holdfast/cmd/internal/status"
)

// Scrapes that arrive while a status is being gathered share the next one.
func TestScrapesShareOneStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var gathered atomic.Int32
		goOn := make(chan struct{})
		m := &metricsEndpoint{base: base{log: slog.New(slog.DiscardHandler)}}
		h := m.handler(func(context.Context) (*status.Status, error) {
			gathered.Add(1)
			<-goOn
			return &status.Status{VRRP: []status.Instance{{Name: "outside", State: "MASTER"}}}, nil
		})
		defer m.close()
		var scrapes sync.WaitGroup
		scrape := func() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			if w.Code != http.StatusOK {
				t.Errorf("a scrape is answered with %d: %s", w.Code, w.Body)
			}
		}
		scrapes.Go(scrape)
		synctest.Wait() // its status is being gathered
		for range 100 {
			scrapes.Go(scrape)
		}
		synctest.Wait()
		close(goOn)
		scrapes.Wait()
		if n := gathered.Load(); n != 2 {
			t.Errorf("%d statuses were gathered, want one for the first scrape and one for the hundred after it", n)
		}
	})
}
