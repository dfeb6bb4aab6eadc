package metrics

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"

	"holdfast/cmd/internal/status"
)

// Options configure a Handler.
type Options struct {
	// Status returns the status that a scrape shows, which is only read. The scrape
	// calls release when it does not need the status any more.
	Status func(context.Context) (s *status.Status, release func(), err error)
	// KeepalivedNames says whether a scrape also shows the metrics of
	// keepalived-exporter.
	KeepalivedNames func() bool
	Log             *slog.Logger
}

// maxScrapes is how many scrapes are encoded at once; more wait. Each needs the memory of
// the largest family while its client reads.
const maxScrapes = 2

// A Handler answers scrapes.
type Handler struct {
	opts    Options
	process func() prometheus.Gatherer // of the process and of the Go runtime
	room    chan struct{}              // one token for each scrape
}

// NewHandler returns the handler of GET /metrics.
func NewHandler(o Options) *Handler {
	return &Handler{opts: o, process: sync.OnceValue(newProcess), room: make(chan struct{}, maxScrapes)}
}

// newProcess needs memory, which a director that nobody scrapes saves.
func newProcess() prometheus.Gatherer {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// formats are what a scrape may ask for: text, protobuf, and OpenMetrics 1 and 2.
var formats = slices.Concat(expfmt.DefaultOpenMetricsAcceptedFormats(), []expfmt.Format{expfmt.FmtOpenMetrics_2_0_0})

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, release, err := h.opts.Status(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer release()
	select {
	case h.room <- struct{}{}:
		defer func() { <-h.room }()
	case <-r.Context().Done():
		return
	}
	format := expfmt.NegotiateAccept(r.Header, formats...)
	w.Header().Set("Content-Type", string(format))
	if err := h.write(w, format, s); err != nil {
		h.opts.Log.Debug("metrics were not sent whole", "err", err) // the client went away
	}
}

// write writes the metrics of a status.
func (h *Handler) write(w io.Writer, format expfmt.Format, s *status.Status) error {
	x := newExposition(w, format)
	writeStatus(x, s)
	if h.opts.KeepalivedNames() {
		writeKeepalived(x, s)
	}
	process, err := h.process().Gather()
	if err != nil { // some of them may be there
		h.opts.Log.Debug("metrics of the process are missing", "err", err)
	}
	for _, f := range process {
		x.encode(f)
	}
	return x.close()
}

// writeStatus writes our own metrics. A new table is one line here and one in List.
func writeStatus(x *exposition, s *status.Status) {
	directorMetrics.write(x, []director{*s}, nil)
	routerMetrics.write(x, s.VRRP, routerLabels)
	pathMetrics.write(x, paths(s.VRRP), pathLabels)
	groupMetrics.write(x, s.Groups, groupLabels)
	trackerMetrics.write(x, s.Trackers, trackerLabels)
	if s.BFD != nil {
		bfdMetrics.write(x, s.BFD.Sessions, bfdLabels)
	}
	if s.LVS != nil {
		lvsMetrics.write(x, []status.LVS{*s.LVS}, nil)
		services := ours(s.LVS.Services)
		serviceMetrics.write(x, services, serviceLabels)
		serverMetrics.write(x, servers(services), serverLabels)
	}
	checkMetrics.write(x, s.Checks, checkLabels)
	outletMetrics.write(x, s.Notify, outletLabels)
	monTrapsMetrics.write(x, s.MonTraps, monTrapsLabels)
}

// List returns our own metrics, without those of keepalived-exporter.
func List() []Metric {
	return slices.Concat(
		directorMetrics.list(), routerMetrics.list(), pathMetrics.list(), groupMetrics.list(), trackerMetrics.list(), bfdMetrics.list(),
		lvsMetrics.list(), serviceMetrics.list(), serverMetrics.list(), checkMetrics.list(), outletMetrics.list(), monTrapsMetrics.list(),
	)
}

// KeepalivedList returns the metrics of keepalived-exporter.
func KeepalivedList() []Metric {
	return slices.Concat(keepalivedUp.list(), keepalivedRouters.list(), keepalivedAddresses.list(), keepalivedExcluded.list(), keepalivedScripts.list())
}
