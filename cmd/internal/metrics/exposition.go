package metrics

import (
	"bufio"
	"errors"
	"io"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// An exposition encodes metric families, one after the other.
//
// In the text formats the library writes the head of a family, its first sample and all
// histograms. The other samples are lines that differ in labels and value only; they are
// written directly, because the library takes five times as long for one.
type exposition struct {
	buffer *bufio.Writer
	to     expfmt.Encoder
	lines  *lineFormat // nil: the format is not a text
	err    error       // the first one

	// The family that is being made. Its metrics are in cells, which are used again.
	family  dto.MetricFamily
	cells   []*cell
	metrics []*dto.Metric
	begun   bool // its head is written, and lines may follow
}

// A cell is the memory of one metric.
type cell struct {
	metric  dto.Metric
	gauge   dto.Gauge
	counter dto.Counter
	value   float64
	labels  []*dto.LabelPair
}

func newExposition(w io.Writer, format expfmt.Format) *exposition {
	buffer := bufio.NewWriterSize(w, 64<<10)
	return &exposition{buffer: buffer, to: expfmt.NewEncoder(buffer, format), lines: newLineFormat(format)}
}

// begin begins a family.
func (x *exposition) begin(m *Metric) {
	x.family.Name, x.family.Help, x.family.Type = &m.Name, &m.Help, &m.kind
	x.metrics, x.begun = x.metrics[:0], false
}

// add adds a sample to the family, with the labels of its subject and further ones. Both
// may be nil.
func (x *exposition) add(value float64, of, extra *labels) {
	if x.begun {
		if x.err == nil {
			x.err = x.lines.write(x.buffer, *x.family.Name, of, extra, value)
		}
		return
	}
	n := len(x.metrics)
	if n == len(x.cells) {
		x.cells = append(x.cells, new(cell))
	}
	c := x.cells[n]
	c.value = value
	c.metric.Label, c.metric.Gauge, c.metric.Counter, c.metric.Histogram = of.list(), nil, nil, nil
	if extra != nil {
		c.labels = append(append(c.labels[:0], of.list()...), extra.list()...)
		c.metric.Label = c.labels
	}
	if *x.family.Type == dto.MetricType_COUNTER {
		c.counter.Value, c.metric.Counter = &c.value, &c.counter
	} else {
		c.gauge.Value, c.metric.Gauge = &c.value, &c.gauge
	}
	x.metrics = append(x.metrics, &c.metric)
	if x.lines != nil {
		x.end()
		x.metrics, x.begun = x.metrics[:0], true
	}
}

// addHistogram adds a histogram to the family.
func (x *exposition) addHistogram(h *dto.Histogram, of, extra *labels) {
	x.metrics = append(x.metrics, &dto.Metric{Label: slices.Concat(of.list(), extra.list()), Histogram: h})
}

// end encodes the family, unless it is empty.
func (x *exposition) end() {
	if len(x.metrics) == 0 {
		return
	}
	x.family.Metric = x.metrics
	x.encode(&x.family)
}

// encode encodes a family.
func (x *exposition) encode(f *dto.MetricFamily) {
	if x.err == nil {
		x.err = x.to.Encode(f)
	}
}

// close encodes what comes after the last family. It returns the first error.
func (x *exposition) close() error {
	var end error
	if c, ok := x.to.(expfmt.Closer); ok && x.err == nil {
		end = c.Close()
	}
	return errors.Join(x.err, end, x.buffer.Flush())
}
