package ldirectord

import (
	"strings"

	"holdfast/conf/convert"
)

// A line is one directive.
type line struct {
	at   convert.Position
	text string
}

// A block is a virtual service with its indented lines.
type block struct {
	head     line
	lines    []line
	comments []string // above the head
}

// A file is what was read.
type file struct {
	head    []string // comments at the top
	globals []line
	blocks  []block
}

var (
	virtualLine = convert.Pattern(`^virtual(6)?\s*=`)
	indented    = convert.Pattern(`^ {4,}(.+)`)
)

// parse reads a file line by line. An indented line belongs to the virtual service
// above it. An empty line ends the service, and so does a line that a comment leaves
// empty; a line that begins with # does not.
func parse(f convert.File, report *convert.Report) *file {
	p := parser{report: report}
	for i, text := range strings.Split(f.Text, "\n") {
		p.line(line{convert.Position{File: f.Name, Line: i + 1}, text})
	}
	return &p.file
}

type parser struct {
	file
	report   *convert.Report
	open     bool // the last block takes indented lines
	comments []string
}

func (p *parser) line(l line) {
	if strings.Contains(l.text, "\r") {
		l.text = strings.TrimRight(l.text, "\r")
	}
	trimmed := strings.TrimLeft(l.text, " \t")
	if comment, ok := strings.CutPrefix(trimmed, "#"); ok {
		p.comments = append(p.comments, strings.TrimSpace(comment))
		return
	}
	if p.open {
		if p.option(l) {
			return
		}
		p.open = false
	}
	switch {
	case trimmed == "":
		p.flush()
	case virtualLine().MatchString(l.text):
		p.report.Directives++
		p.blocks = append(p.blocks, block{head: l, comments: p.comments})
		p.open, p.comments = true, nil
	default:
		p.report.Directives++
		p.flush()
		p.globals = append(p.globals, l)
	}
}

// flush ends a comment that is about no service. One at the top of the file is kept.
func (p *parser) flush() {
	if len(p.globals) == 0 && len(p.blocks) == 0 {
		p.head = append(p.head, p.comments...)
	}
	p.comments = nil
}

// option adds a line to the open block, and reports whether it belongs there.
func (p *parser) option(l line) bool {
	text, _, _ := strings.Cut(l.text, "#")
	text = strings.ReplaceAll(text, "\t", "    ")
	m := indented().FindStringSubmatch(text)
	if m == nil {
		return false
	}
	p.report.Directives++
	b := &p.blocks[len(p.blocks)-1]
	b.lines = append(b.lines, line{l.at, strings.TrimLeft(m[1], " ")})
	p.comments = nil
	return true
}

// split returns the keyword and the value of a directive.
func split(text string) (keyword, value string, ok bool) {
	keyword, value, ok = strings.Cut(text, "=")
	keyword = strings.TrimRight(keyword, " \t")
	return keyword, strings.TrimLeft(value, " \t"), ok && keyword != ""
}

var digits = convert.Pattern(`\d+`)

// number returns the first number in a value: ldirectord does not look at the rest.
func number(value string) (string, bool) {
	n := digits().FindString(value)
	return n, n != ""
}

// quoted returns what is between the first quote and the last, which must begin the
// value.
func quoted(value string) (string, bool) {
	if !strings.HasPrefix(value, `"`) {
		return "", false
	}
	end := strings.LastIndex(value, `"`)
	if end < 2 { // nothing between them
		return "", false
	}
	return value[1:end], true
}

// refused reports a line with which ldirectord does not start.
func refused(report *convert.Report, at convert.Position, format string, args ...any) {
	report.Person(at, "ldirectord does not start with this line: "+format, args...)
}

// keyOf returns a line without its value, which may be a secret whose key is misspelt.
func keyOf(text string) string {
	key, _, _ := strings.Cut(text, "=")
	return strings.TrimSpace(key)
}
