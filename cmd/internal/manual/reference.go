// Package manual makes manual pages and the page of keys from what the program says of
// itself: the tree of its commands, and the documented configuration file.
package manual

import (
	"regexp"
	"slices"
	"strings"
)

// A Key is a key of the configuration.
type Key struct {
	Name    string
	Value   string // as TOML
	Default bool   // Value is the default; otherwise it is an example
	Meaning string // "" if the text above says it
}

// A Part is a piece of a Chapter; one of its fields is set.
type Part struct {
	Text    []string // a paragraph
	Literal []string // lines that are shown as they are
	Table   string   // the header of a table, such as "[[vrrp]]"
	Key     *Key
}

// A Chapter is what the documented file has under one headline.
type Chapter struct {
	Title string
	Parts []Part
}

var (
	headline = regexp.MustCompile(`^# ---- (.+?) -+$`)
	keyLine  = regexp.MustCompile(`^(#?)([a-z][a-z0-9_]*) *= *(.+)$`)
)

// Chapters takes the documented configuration file apart. Text before the first
// headline is in a chapter without a title.
func Chapters(reference string) []Chapter {
	r := &reading{chapters: []Chapter{{}}}
	for line := range strings.Lines(reference) {
		r.line(strings.TrimRight(line, "\n"))
	}
	r.end()
	return r.chapters
}

// A reading is how far a documented file is read.
type reading struct {
	chapters []Chapter
	text     []string
	literal  []string
}

func (r *reading) line(line string) {
	trimmed := strings.TrimSpace(line)
	m := keyLine.FindStringSubmatch(trimmed)
	switch {
	case headline.MatchString(line):
		r.end()
		title := headline.FindStringSubmatch(line)[1]
		r.chapters = append(r.chapters, Chapter{Title: title})
	case m != nil:
		value, meaning := cutComment(m[3])
		r.add(Part{Key: &Key{Name: m[2], Value: value, Default: m[1] != "", Meaning: meaning}})
	case strings.HasPrefix(trimmed, "["):
		header, meaning := cutComment(trimmed)
		r.table(header)
		if meaning != "" {
			r.text = append(r.text, meaning)
		}
	case strings.HasPrefix(trimmed, "#   "):
		r.endText()
		r.literal = append(r.literal, strings.TrimPrefix(trimmed, "#   "))
	case strings.HasPrefix(trimmed, "# "):
		r.endLiteral()
		r.text = append(r.text, strings.TrimPrefix(trimmed, "# "))
	default:
		r.end() // a paragraph ends at an empty line
	}
}

// table adds a table. The prose above its header is about the table, and follows it.
func (r *reading) table(header string) {
	r.end()
	last := &r.chapters[len(r.chapters)-1]
	at := len(last.Parts)
	for at > 0 && last.Parts[at-1].Table == "" && last.Parts[at-1].Key == nil {
		at--
	}
	last.Parts = slices.Insert(last.Parts, at, Part{Table: header})
}

func (r *reading) add(p Part) {
	r.end()
	last := &r.chapters[len(r.chapters)-1]
	last.Parts = append(last.Parts, p)
}

func (r *reading) end() {
	r.endText()
	r.endLiteral()
}

func (r *reading) endText() {
	if text := r.text; len(text) > 0 {
		r.text = nil
		r.add(Part{Text: text})
	}
}

func (r *reading) endLiteral() {
	if literal := r.literal; len(literal) > 0 {
		r.literal = nil
		r.add(Part{Literal: literal})
	}
}

// cutComment cuts a line of TOML at its comment.
func cutComment(line string) (value, comment string) {
	var quote rune
	for i, c := range line {
		switch {
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote && (quote == '\'' || line[i-1] != '\\'):
			quote = 0
		case quote == 0 && c == '#':
			return strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+1:])
		}
	}
	return strings.TrimSpace(line), ""
}
