package manual

import (
	"fmt"
	"strings"
	"time"
)

// A page is a manual page in the language of man(7).
type page struct{ strings.Builder }

// Meta is what the head and foot of a page say.
type Meta struct {
	Date    time.Time
	Version string
}

func newPage(name string, section int, m Meta, headline string) *page {
	p := new(page)
	// The date is not code: mandoc does not read one with escaped minus signs.
	fmt.Fprintf(p, ".TH \"%s\" %d \"%s\" \"holdfast %s\"\n", strings.ToUpper(name), section, m.Date.UTC().Format(time.DateOnly), code(m.Version))
	p.request("SH", "NAME")
	p.text(name + " - " + headline)
	return p
}

// request writes a line that formats.
func (p *page) request(name string, arguments ...string) {
	p.WriteString("." + name)
	for _, a := range arguments {
		p.WriteString(` "` + strings.ReplaceAll(code(a), `"`, `\(dq`) + `"`)
	}
	p.WriteByte('\n')
}

// text writes lines of running text.
func (p *page) text(lines ...string) {
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" {
			p.WriteString(guarded(escaped(line)) + "\n")
		}
	}
}

// paragraphs writes text in which empty lines separate paragraphs, and indented lines
// stay as they are.
func (p *page) paragraphs(text string) {
	for i, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		if i > 0 {
			p.request("PP")
		}
		lines := strings.Split(paragraph, "\n")
		if strings.HasPrefix(lines[0], " ") {
			p.literal(lines)
			continue
		}
		p.text(lines...)
	}
}

// literal writes lines that stay as they are.
func (p *page) literal(lines []string) {
	p.request("RS", "4")
	p.request("nf")
	for _, line := range lines {
		p.WriteString(guarded(code(line)) + "\n")
	}
	p.request("fi")
	p.request("RE")
}

// item writes what a term means. format has a %s for each of the words, which are shown
// in bold face.
func (p *page) item(format string, words ...string) {
	p.request("TP")
	bold := make([]any, len(words))
	for i, w := range words {
		bold[i] = `\fB` + code(w) + `\fR`
	}
	p.WriteString(guarded(fmt.Sprintf(format, bold...)) + "\n")
}

// escaped is running text for troff.
func escaped(s string) string { return strings.ReplaceAll(s, `\`, `\e`) }

// code is text that somebody may copy: a minus stays one.
func code(s string) string { return strings.ReplaceAll(escaped(s), "-", `\-`) }

// guarded keeps a line from being taken for a request.
func guarded(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
