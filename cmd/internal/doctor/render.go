package doctor

import (
	"fmt"
	"strings"
)

// A Painter returns text in the colour of a severity.
type Painter func(Severity, string) string

// Text returns the report for people.
func (r *Report) Text(paint Painter) string {
	var out strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&out, "%s %s: %s\n", paint(f.Severity, strings.ToUpper(string(f.Severity))), f.Diagnosis, f.What)
		for _, line := range []struct{ head, text string }{
			{"why", f.Why}, {"cure", f.Cure}, {"fixed", f.Fixed}, {"not fixed", f.FixError},
		} {
			if line.text != "" {
				fmt.Fprintf(&out, "  %-5s %s\n", line.head+":", strings.ReplaceAll(line.text, "\n", "\n        "))
			}
		}
	}
	for _, b := range r.Blind {
		fmt.Fprintf(&out, "%s %s: %s\n", paint(Note, "NOT SEEN"), b.Diagnosis, strings.ReplaceAll(b.Why, "\n", "\n        "))
	}
	out.WriteString(r.summary())
	return out.String()
}

func (r *Report) summary() string {
	counts := map[Severity]int{}
	fixed := 0
	for _, f := range r.Findings {
		if f.Fixed != "" {
			fixed++
			continue
		}
		counts[f.Severity]++
	}
	text := "the doctor found nothing wrong"
	if counts[Error]+counts[Warning] > 0 {
		text = count(counts[Error], "error") + ", " + count(counts[Warning], "warning")
	}
	if fixed > 0 {
		text += fmt.Sprintf("; %d fixed", fixed)
	}
	if n := r.Fixable(); n > 0 {
		text += fmt.Sprintf("; --fix can cure %d", n)
	}
	return text + "\n"
}
