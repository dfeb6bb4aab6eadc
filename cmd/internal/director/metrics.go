package director

import (
	"context"
	"sync/atomic"

	"holdfast/cmd/internal/metrics"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// A metricsEndpoint is the subsystem that answers Prometheus.
type metricsEndpoint struct {
	base
	keepalivedNames atomic.Bool // read outside the loop
}

func (m *metricsEndpoint) apply(c *conf.Config) { m.keepalivedNames.Store(c.Metrics.KeepalivedNames) }

// handler returns what answers GET /metrics.
func (m *metricsEndpoint) handler(status func(context.Context) (*status.Status, error)) *metrics.Handler {
	return metrics.NewHandler(metrics.Options{Status: status, KeepalivedNames: m.keepalivedNames.Load, Log: m.log})
}
