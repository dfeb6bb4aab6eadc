package metrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"holdfast/cmd/internal/status"
	"holdfast/integration/tools/golden"
	"holdfast/vrrp"
)

// canned returns the status of a director that has an example of everything.
func canned(t testing.TB) *status.Status {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "status", "testdata", "status.json"))
	if err != nil {
		t.Fatal(err)
	}
	s := new(status.Status)
	if err := json.Unmarshal(text, s); err != nil {
		t.Fatal(err)
	}
	s.Alerts = []status.Alert{{Rule: "page", Kind: "server", Subject: "web/rs2", Failures: 2}, {Rule: "page", Kind: "instance", Subject: "inside"}}
	s.VRRP[0].Excluded = s.VRRP[0].Addresses[1:]
	s.VRRP[0].Fast = &status.Fast{Armed: true, Takeovers: 2, Flaps: 1}
	for drop := vrrp.DropNone + 1; int(drop) < vrrp.NumDrops; drop++ {
		s.VRRP[0].Counters.Dropped[drop.String()] = 1 << drop // so that a sum shows its parts
	}
	s.Checks[1].Counts.Overruns, s.Checks[1].Counts.Unsent, s.Checks[1].Counts.Inconclusive = 3, 4, 5
	return s
}

// handler returns a handler for a status.
func handler(s *status.Status, keepalived bool) *Handler {
	return NewHandler(Options{
		Status:          func(context.Context) (*status.Status, func(), error) { return s, func() {}, nil },
		KeepalivedNames: func() bool { return keepalived },
		Log:             slog.New(slog.DiscardHandler),
	})
}

// scrape returns the answer to a scrape that accepts a content type.
func scrape(t testing.TB, h http.Handler, accept string) (text, contentType string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String(), w.Header().Get("Content-Type")
}

// exposed returns the text of writing one's own metrics, without those of the process.
func exposed(s *status.Status, write ...func(*exposition, *status.Status)) string {
	var b bytes.Buffer
	x := newExposition(&b, expfmt.NewFormat(expfmt.TypeTextPlain))
	for _, f := range write {
		f(x, s)
	}
	if err := x.close(); err != nil {
		return err.Error()
	}
	return b.String()
}

func TestExposition(t *testing.T) {
	s := canned(t)
	for name, write := range map[string]func(*exposition, *status.Status){"status.txt": writeStatus, "keepalived.txt": writeKeepalived} {
		got := exposed(s, write)
		if i := strings.Index(got, "goversion=\""); i >= 0 { // the version of Go changes
			end := i + strings.IndexByte(got[i:], '}')
			got = got[:i] + `goversion="go"` + got[end:]
		}
		golden.Compare(t, filepath.Join("testdata", name), got)
	}
}

// Every format that is offered can be asked for, and is complete.
func TestFormats(t *testing.T) {
	h := handler(canned(t), true)
	for accept, want := range map[string]string{
		"":           "text/plain; version=0.0.4",
		"text/plain": "text/plain; version=0.0.4",
		"application/openmetrics-text;version=1.0.0":                                                  "application/openmetrics-text; version=1.0.0",
		"application/openmetrics-text;version=2.0.0":                                                  "application/openmetrics-text; version=2.0.0",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited":  "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
		"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1": "application/openmetrics-text; version=0.0.1",
	} {
		text, contentType := scrape(t, h, accept)
		if !strings.HasPrefix(contentType, want) {
			t.Errorf("%q is answered with %q", accept, contentType)
		}
		if open := strings.Contains(want, "openmetrics"); open != strings.HasSuffix(text, "# EOF\n") {
			t.Errorf("%s ends with %q", want, text[len(text)-20:])
		}
		if !strings.Contains(text, "go_goroutines") || !strings.Contains(text, "process_resident_memory_bytes") {
			t.Errorf("%s has no metrics of the process", want)
		}
	}
}

// families returns what a scrape in the protobuf format has.
func families(t *testing.T, h http.Handler) []*dto.MetricFamily {
	t.Helper()
	text, contentType := scrape(t, h, "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	decoder := expfmt.NewDecoder(strings.NewReader(text), expfmt.Format(contentType))
	var all []*dto.MetricFamily
	for {
		f := new(dto.MetricFamily)
		if err := decoder.Decode(f); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, f)
	}
}

// A given is a collector of metrics that were made already.
type given []*dto.MetricFamily

func (given) Describe(chan<- *prometheus.Desc) {}

func (g given) Collect(to chan<- prometheus.Metric) {
	for _, f := range g {
		for _, m := range f.Metric {
			to <- givenMetric{f, m}
		}
	}
}

type givenMetric struct {
	family *dto.MetricFamily
	metric *dto.Metric
}

func (m givenMetric) Desc() *prometheus.Desc {
	labels := prometheus.Labels{}
	for _, l := range m.metric.Label {
		labels[l.GetName()] = l.GetValue()
	}
	return prometheus.NewDesc(m.family.GetName(), m.family.GetHelp(), nil, labels)
}

func (m givenMetric) Write(to *dto.Metric) error {
	to.Label, to.Gauge, to.Counter, to.Histogram = slices.Clone(m.metric.Label), m.metric.Gauge, m.metric.Counter, m.metric.Histogram
	slices.SortFunc(to.Label, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	return nil
}

// A pedantic registry accepts the metrics: no series is there twice, and all series of a
// family are of one type.
func TestPedantic(t *testing.T) {
	for name, s := range map[string]*status.Status{"everything": canned(t), "nothing": {}} {
		all := families(t, handler(s, true))
		all = slices.DeleteFunc(all, func(f *dto.MetricFamily) bool {
			return !strings.HasPrefix(f.GetName(), "holdfast_") && !strings.HasPrefix(f.GetName(), "keepalived_")
		})
		r := prometheus.NewRegistry()
		r.MustRegister(given(all))
		gathered, err := r.Gather()
		if err != nil || len(gathered) != len(all) {
			t.Errorf("%s: %d of %d families: %v", name, len(gathered), len(all), err)
		}
	}
}

// promlint is what promtool check metrics uses.
func TestLint(t *testing.T) {
	text, _ := scrape(t, handler(canned(t), false), "")
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// The text can be read again, and says what protobuf says.
func TestTextIsProtobuf(t *testing.T) {
	h := handler(canned(t), true)
	text, _ := scrape(t, h, "")
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families(t, h) {
		p := parsed[f.GetName()]
		if p == nil || p.GetType() != f.GetType() || len(p.Metric) != len(f.Metric) {
			t.Errorf("%s differs", f.GetName())
		}
	}
}

// Every metric that can be is in the exposition of the canned status, and nothing else.
func TestList(t *testing.T) {
	var names []string
	for _, f := range families(t, handler(canned(t), true)) {
		if strings.HasPrefix(f.GetName(), "holdfast_") || strings.HasPrefix(f.GetName(), "keepalived_") {
			names = append(names, f.GetName())
			i := slices.IndexFunc(slices.Concat(List(), KeepalivedList()), func(m Metric) bool { return m.Name == f.GetName() })
			if i < 0 {
				continue
			}
			m := slices.Concat(List(), KeepalivedList())[i]
			for _, sample := range f.Metric {
				for _, l := range sample.Label {
					if !slices.Contains(m.Labels, l.GetName()) {
						t.Errorf("%s has the label %s, which is not listed", m.Name, l.GetName())
					}
				}
			}
		}
	}
	var listed []string
	for _, m := range slices.Concat(List(), KeepalivedList()) {
		listed = append(listed, m.Name)
	}
	slices.Sort(names)
	slices.Sort(listed)
	if diff := cmp.Diff(listed, names); diff != "" {
		t.Errorf("-listed +exposed:\n%s", diff)
	}
}

func TestStatusFails(t *testing.T) {
	h := NewHandler(Options{
		Status: func(context.Context) (*status.Status, func(), error) {
			return nil, nil, errors.New("the VRRP loop has ended")
		},
		KeepalivedNames: func() bool { return false }, Log: slog.New(slog.DiscardHandler),
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "loop has ended") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
