package metrics

import (
	"bufio"
	"errors"
	"io"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"google.golang.org/protobuf/proto"
)

// An exposition encodes metric families, one after the other.
type exposition struct {
	buffer *bufio.Writer
	to     expfmt.Encoder
	err    error // the first one

	// The family that is being made. Its metrics are in cells, which are used again.
	family  dto.MetricFamily
	cells   []*cell
	metrics []*dto.Metric
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
	return &exposition{buffer: buffer, to: expfmt.NewEncoder(buffer, format)}
}

// begin begins a family.
func (x *exposition) begin(m *Metric) {
	x.family.Name, x.family.Help, x.family.Type = &m.Name, &m.Help, &m.kind
	x.metrics = x.metrics[:0]
}

// add adds a sample to the family. Extra are the names and values of further labels.
func (x *exposition) add(value float64, labels []*dto.LabelPair, extra ...*dto.LabelPair) {
	n := len(x.metrics)
	if n == len(x.cells) {
		x.cells = append(x.cells, new(cell))
	}
	c := x.cells[n]
	c.value = value
	if len(extra) > 0 {
		c.labels = append(append(c.labels[:0], labels...), extra...)
		labels = c.labels
	}
	c.metric.Label, c.metric.Gauge, c.metric.Counter, c.metric.Histogram = labels, nil, nil, nil
	if *x.family.Type == dto.MetricType_COUNTER {
		c.counter.Value, c.metric.Counter = &c.value, &c.counter
	} else {
		c.gauge.Value, c.metric.Gauge = &c.value, &c.gauge
	}
	x.metrics = append(x.metrics, &c.metric)
}

// addHistogram adds a histogram to the family.
func (x *exposition) addHistogram(h *dto.Histogram, labels []*dto.LabelPair) {
	x.metrics = append(x.metrics, &dto.Metric{Label: labels, Histogram: h})
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

// label returns a label.
func label(name, value string) *dto.LabelPair {
	return &dto.LabelPair{Name: proto.String(name), Value: proto.String(value)}
}

// pairs returns labels with the names and as many values.
func pairs(names, values []string) []*dto.LabelPair {
	memory, list := make([]dto.LabelPair, len(names)), make([]*dto.LabelPair, len(names))
	for i := range names {
		memory[i].Name, memory[i].Value = &names[i], &values[i]
		list[i] = &memory[i]
	}
	return list
}
