package main

import (
	"fmt"
	"slices"
	"time"
)

// figures are the values of one measure in each round.
type figures []float64

func (f figures) sorted() figures {
	g := slices.Clone(f)
	slices.Sort(g)
	return g
}

// at returns the quantile: the value that this part of them does not exceed.
func (f figures) at(part float64) float64 {
	if len(f) == 0 {
		return 0
	}
	return f.sorted()[min(len(f)-1, int(part*float64(len(f))))]
}

func median(f figures) float64 {
	g := f.sorted()
	switch n := len(g); {
	case n == 0:
		return 0
	case n%2 == 1:
		return g[n/2]
	default:
		return (g[n/2-1] + g[n/2]) / 2
	}
}

func greatest(f figures) float64 {
	if len(f) == 0 {
		return 0
	}
	return slices.Max(f)
}

func least(f figures) float64 {
	if len(f) == 0 {
		return 0
	}
	return slices.Min(f)
}

func sum(f figures) float64 {
	var total float64
	for _, v := range f {
		total += v
	}
	return total
}

// spread is "median (min..max)", or the only value.
func spread(f figures) string {
	switch len(f) {
	case 0:
		return "-"
	case 1:
		return number(f[0])
	default:
		return fmt.Sprintf("%s (%s..%s)", number(median(f)), number(least(f)), number(greatest(f)))
	}
}

// losses is "total", and in how many rounds if there were any.
func losses(f figures) string {
	bad := 0
	for _, v := range f {
		if v > 0 {
			bad++
		}
	}
	switch {
	case len(f) == 0:
		return "-"
	case bad == 0:
		return "0"
	default:
		return fmt.Sprintf("%.0f in %d of %d", sum(f), bad, len(f))
	}
}

// number prints the significant digits.
func number(v float64) string {
	switch {
	case v > 99 && v < 100: // of percentages the last step counts
		return fmt.Sprintf("%.2f", v)
	case v >= 100 || v <= -100 || v == float64(int(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10 || v <= -10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
