package metrics

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"

	"holdfast/cmd/internal/status"
)

// A subject is what a table of a test is about.
type subject struct {
	name  string
	value float64
}

// hard has every kind of value and of name that the formats write in a way of their own.
var hard = table[subject]{
	common: []string{"name"},
	columns: []column[subject]{
		gauge("level", "A \"level\" of\nC:\\.", func(s *subject) float64 { return s.value }),
		counter("calls_total", "Calls.", func(s *subject) uint64 { return uint64(math.Abs(min(max(s.value, -9e18), 9e18))) }),
		info("thing_info", "A thing.", []string{"one", "two"}, func(s *subject) []string { return []string{s.name, ""} }),
		states("thing_state", "Its state.", []string{"on", "off"}, func(s *subject) string { return "on" }),
	},
}

// writeHard writes the hard table, and samples without labels.
func writeHard(x *exposition, _ *status.Status) {
	var all []subject
	for _, value := range []float64{
		0, math.Copysign(0, -1), 1, -1, 0.5, 999999, 1e6, 1234567, 1e20, 1e21, 1e-5, 1.5e300, math.MaxUint32, 1795894300.255,
		math.Inf(1), math.Inf(-1), math.NaN(),
	} {
		for _, name := range []string{"", "plain", `back\slash`, "new\nline", `"quoted"`, "größer", `\"` + "\n"} {
			all = append(all, subject{name, value})
		}
	}
	hard.write(x, all, func(s *subject) []string { return []string{s.name} })
	bare := table[subject]{columns: hard.columns}
	bare.write(x, all, nil)
}

// What is written directly is what the library would have written, in every format.
func TestLinesAreTheLibrarys(t *testing.T) {
	for _, format := range append(slices.Clone(formats), expfmt.NewFormat(expfmt.TypeTextPlain)) {
		for name, write := range map[string]func(*exposition, *status.Status){
			"status": writeStatus, "keepalived": writeKeepalived, "hard": writeHard,
		} {
			var lines, library bytes.Buffer
			x, y := newExposition(&lines, format), newExposition(&library, format)
			y.lines = nil
			for _, z := range []*exposition{x, y} {
				write(z, canned(t))
				if err := z.close(); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(library.String(), lines.String()); diff != "" || library.Len() == 0 {
				t.Errorf("%s as %s (-library +lines):\n%s", name, format, diff)
			}
		}
	}
}
