package director

import (
	"context"
	"net/http"
	"sync/atomic"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/metrics"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A metricsEndpoint is the subsystem that answers Prometheus.
type metricsEndpoint struct {
	base
	keepalivedNames atomic.Bool // read outside the loop
	end             context.CancelFunc
}

func (m *metricsEndpoint) apply(c *conf.Config) { m.keepalivedNames.Store(c.Metrics.KeepalivedNames) }

// handler returns what answers GET /metrics. Scrapes at the same time share one status,
// because the loops of the director and of VRRP stand still while it is gathered.
func (m *metricsEndpoint) handler(gather func(context.Context) (*status.Status, error)) http.Handler {
	var life context.Context
	life, m.end = context.WithCancel(context.Background())
	shared := control.NewSnapshots(life, gather)
	return metrics.NewHandler(metrics.Options{Status: shared.Get, KeepalivedNames: m.keepalivedNames.Load, Log: m.log})
}

func (m *metricsEndpoint) close() { m.end() }
