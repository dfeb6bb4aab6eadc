package metrics

import (
	"bufio"
	"bytes"
	"math"
	"strconv"

	"github.com/prometheus/common/expfmt"
)

// A lineFormat writes samples of counters and gauges as lines of a text format.
type lineFormat struct {
	openMetrics bool // numbers are floating-point numbers that say so
	line        []byte
}

// newLineFormat returns nil if the format is not a text of lines.
func newLineFormat(format expfmt.Format) *lineFormat {
	switch format.FormatType() {
	case expfmt.TypeTextPlain:
		return &lineFormat{}
	case expfmt.TypeOpenMetrics:
		return &lineFormat{openMetrics: true}
	}
	return nil
}

// write writes a sample. Names of our metrics need no quotes, and counters end in _total in
// every format.
func (f *lineFormat) write(to *bufio.Writer, name string, of, extra *labels, value float64) error {
	f.line = append(f.line[:0], name...)
	separator := byte('{')
	for _, l := range [...]*labels{of, extra} {
		if l != nil && len(l.names) > 0 {
			f.line = l.appendTo(append(f.line, separator))
			separator = ','
		}
	}
	if separator == ',' {
		f.line = append(f.line, '}')
	}
	f.line = append(f.appendValue(append(f.line, ' '), value), '\n')
	_, err := to.Write(f.line)
	return err
}

// mostDigits is from where on the library writes whole numbers with an exponent.
const mostDigits = 1e6

func (f *lineFormat) appendValue(b []byte, value float64) []byte {
	begin := len(b)
	switch {
	case value == math.Trunc(value) && math.Abs(value) < mostDigits:
		b = strconv.AppendInt(b, int64(value), 10)
	case math.IsInf(value, +1):
		return append(b, "+Inf"...)
	case math.IsInf(value, -1), math.IsNaN(value):
		return strconv.AppendFloat(b, value, 'g', -1, 64)
	default:
		b = strconv.AppendFloat(b, value, 'g', -1, 64)
	}
	if f.openMetrics && !bytes.ContainsAny(b[begin:], "e.") {
		b = append(b, ".0"...)
	}
	return b
}
