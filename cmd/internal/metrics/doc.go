// Package metrics gives the state of the director to Prometheus.
//
// Each scrape asks for one status, which it may share with others, and makes all metrics
// of it. There is no metric that somebody has to keep up to date. A metric is one line in a table, such as
// [routerMetrics]: its name, its help, and how to read its value from the status.
//
// The families are made and encoded one after the other, in memory that is used again
// for the next. A [prometheus.Registry] would make all of them before the first is
// encoded, check each series, and need some ten times the time and memory. A director
// may have 150,000 series. The tests make these checks instead.
package metrics
