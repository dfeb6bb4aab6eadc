package metrics

import (
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"holdfast/vrrp/histogram"
)

// A Metric describes a metric family.
type Metric struct {
	Name, Help string
	Labels     []string // names
	kind       dto.MetricType
}

// Type returns "gauge", "counter" or "histogram".
func (m *Metric) Type() string {
	switch m.kind {
	case dto.MetricType_COUNTER:
		return "counter"
	case dto.MetricType_HISTOGRAM:
		return "histogram"
	}
	return "gauge"
}

// A table has the metrics of one kind of subject, such as virtual routers. A subject
// has the values of the labels in common.
type table[T any] struct {
	common  []string // names of the labels of every metric
	columns []column[T]
}

// A column is one metric of all subjects of a table. One of the functions is set.
type column[T any] struct {
	Metric
	extra []string // names of labels beside the common ones
	// value returns the value of a subject; false: the subject has none.
	value func(*T) (float64, bool)
	// values calls add for each value of a subject, with the values of the extra labels.
	values func(of *T, add func(value float64, extra ...string))
	// histogram returns the histograms of a subject, by the value of the extra label.
	// Without an extra label the key is "".
	histogram func(*T) map[string]*histogram.Snapshot
}

func gauge[T any](name, help string, value func(*T) float64) column[T] {
	return single(dto.MetricType_GAUGE, name, help, value)
}

func counter[T any](name, help string, value func(*T) uint64) column[T] {
	return single(dto.MetricType_COUNTER, name, help, func(t *T) float64 { return float64(value(t)) })
}

func single[T any](kind dto.MetricType, name, help string, value func(*T) float64) column[T] {
	return column[T]{Metric: Metric{Name: name, Help: help, kind: kind}, value: func(t *T) (float64, bool) { return value(t), true }}
}

// boolean is a gauge that is 1 or 0.
func boolean[T any](name, help string, value func(*T) bool) column[T] {
	return gauge(name, help, func(t *T) float64 { return number(value(t)) })
}

// moment is a gauge with a time in seconds since 1970. A subject without the time has
// no sample.
func moment[T any](name, help string, value func(*T) time.Time) column[T] {
	return some(name, help, func(t *T) (float64, bool) {
		at := value(t)
		return float64(at.UnixMilli()) / 1000, !at.IsZero()
	})
}

// some is a gauge that only some subjects have.
func some[T any](name, help string, value func(*T) (float64, bool)) column[T] {
	return column[T]{Metric: Metric{Name: name, Help: help, kind: dto.MetricType_GAUGE}, value: value}
}

// info is a gauge that is always 1, and whose labels say something of the subject.
func info[T any](name, help string, extra []string, values func(*T) []string) column[T] {
	return gauges(name, help, extra, func(t *T, add func(float64, ...string)) { add(1, values(t)...) })
}

// states is a gauge for each state, which is 1 for the state of the subject. Its label
// is state.
func states[T any](name, help string, all []string, state func(*T) string) column[T] {
	return gauges(name, help, []string{"state"}, func(t *T, add func(float64, ...string)) {
		now := state(t)
		for _, s := range all {
			add(number(s == now), s)
		}
	})
}

func gauges[T any](name, help string, extra []string, values func(*T, func(float64, ...string))) column[T] {
	return column[T]{Metric: Metric{Name: name, Help: help, kind: dto.MetricType_GAUGE}, extra: extra, values: values}
}

func counters[T any](name, help string, extra []string, values func(*T, func(float64, ...string))) column[T] {
	return column[T]{Metric: Metric{Name: name, Help: help, kind: dto.MetricType_COUNTER}, extra: extra, values: values}
}

// byKey is a counter for each key of a map.
func byKey[T any](name, help, extra string, counts func(*T) map[string]uint64) column[T] {
	return counters(name, help, []string{extra}, func(t *T, add func(float64, ...string)) {
		for _, key := range sortedKeys(counts(t)) {
			add(float64(counts(t)[key]), key)
		}
	})
}

func durations[T any](name, help string, extra []string, h func(*T) map[string]*histogram.Snapshot) column[T] {
	return column[T]{Metric: Metric{Name: name, Help: help, kind: dto.MetricType_HISTOGRAM}, extra: extra, histogram: h}
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// write encodes the metrics of all subjects. The function valuesOf returns the values of the
// common labels of a subject.
func (t *table[T]) write(x *exposition, subjects []T, valuesOf func(*T) []string) {
	if len(subjects) == 0 {
		return
	}
	rows := make([]labels, len(subjects))
	if len(t.common) > 0 {
		for i := range subjects {
			rows[i] = labels{names: t.common, values: valuesOf(&subjects[i])}
		}
	}
	for i := range t.columns {
		t.columns[i].write(x, subjects, rows)
	}
}

func (c *column[T]) write(x *exposition, subjects []T, rows []labels) {
	x.begin(&c.Metric)
	known := map[string]*labels{} // by value, of metrics with one extra label: most have few values
	var row *labels
	var once labels                           // of one sample at a time: the text formats write it at once
	add := func(v float64, extra ...string) { // one for all: it is allocated
		if x.lines != nil && len(extra) > 1 {
			once = labels{names: c.extra, values: append(once.values[:0], extra...), once: true}
			x.add(v, row, &once)
			return
		}
		x.add(v, row, c.further(known, extra))
	}
	for i := range subjects {
		row = &rows[i]
		switch s := &subjects[i]; {
		case c.value != nil:
			if v, ok := c.value(s); ok {
				x.add(v, row, nil)
			}
		case c.values != nil:
			c.values(s, add)
		default:
			c.addHistograms(x, c.histogram(s), row)
		}
	}
	x.end()
}

// further returns the labels of a sample beside those of its subject; nil: none.
func (c *column[T]) further(known map[string]*labels, values []string) *labels {
	switch len(values) {
	case 0:
		return nil
	case 1:
		l := known[values[0]]
		if l == nil {
			l = &labels{names: c.extra, values: slices.Clone(values)}
			known[values[0]] = l
		}
		return l
	}
	return &labels{names: c.extra, values: slices.Clone(values)}
}

func (c *column[T]) addHistograms(x *exposition, all map[string]*histogram.Snapshot, row *labels) {
	for _, key := range sortedKeys(all) {
		if all[key] == nil {
			continue
		}
		var extra *labels
		if len(c.extra) > 0 {
			extra = &labels{names: c.extra, values: []string{key}}
		}
		x.addHistogram(native(all[key]), row, extra)
	}
}

// list returns the metrics of the table.
func (t *table[T]) list() []Metric {
	all := make([]Metric, len(t.columns))
	for i := range t.columns {
		all[i] = t.columns[i].Metric
		all[i].Labels = slices.Concat(t.common, t.columns[i].extra)
	}
	return all
}
