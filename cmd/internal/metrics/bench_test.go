package metrics

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"holdfast/cmd/internal/status"
)

// crowd returns the status of a director with many virtual routers, and many servers in
// services of ten. Each server has a check.
func crowd(t testing.TB, routers, servers int) *status.Status {
	few := canned(t)
	router, service, server, check := few.VRRP[0], few.LVS.Services[0], few.LVS.Services[0].Servers[0], few.Checks[0]
	few.VRRP, few.LVS.Services, few.Checks = nil, nil, nil
	for n := range routers {
		router.Name = fmt.Sprintf("router-%d", n)
		few.VRRP = append(few.VRRP, router)
	}
	for n := range servers {
		if n%10 == 0 {
			service.Name, service.Servers = fmt.Sprintf("service-%d", n/10), nil
			few.LVS.Services = append(few.LVS.Services, service)
		}
		server.Name = fmt.Sprintf("10.1.%d.%d:80", n/250, n%250)
		check.Server = service.Name + "/" + server.Name
		check.ID = check.Server
		last := &few.LVS.Services[len(few.LVS.Services)-1]
		last.Servers = append(last.Servers, server)
		few.Checks = append(few.Checks, check)
	}
	return few
}

type discard struct {
	http.ResponseWriter
	bytes int
}

func (d *discard) Write(b []byte) (int, error) { d.bytes += len(b); return len(b), nil }

// BenchmarkScrape has a thousand virtual routers and five thousand servers. It does not
// include the time to gather the status.
func BenchmarkScrape(b *testing.B) {
	h := handler(crowd(b, 1000, 5000), false)
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	text, _ := scrape(b, h, "")
	series := strings.Count(text, "\n") - strings.Count(text, "\n#") - 1 // the first line is a comment too
	b.ReportAllocs()
	for b.Loop() {
		w := &discard{ResponseWriter: httptest.NewRecorder()}
		h.ServeHTTP(w, r)
		b.ReportMetric(float64(w.bytes)/1e6, "MB")
	}
	b.ReportMetric(float64(series), "series")
}
