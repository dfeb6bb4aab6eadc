package keepalived

import (
	"fmt"

	"holdfast/conf/convert"
)

// A directive is a word with its arguments, or a line of a block of values.
type directive struct {
	at       convert.Position
	text     string // the line, for programs, whose words are split in another way
	args     []string
	comments []string
	word     *word // nil: a line of a block of values, or an unknown word
	body     []*directive
	used     bool // a converter has read it
}

// name is the word itself, or the first of a line of values.
func (d *directive) name() string { return d.args[0] }

// arg returns an argument from 1, or "".
func (d *directive) arg(i int) string {
	if i < len(d.args) {
		return d.args[i]
	}
	return ""
}

// A parser makes blocks of lines in the way of keepalived's: what a brace closes is
// the innermost open block, whatever its line said.
type parser struct {
	lines  []line
	next   int
	report *convert.Report
}

func (p *parser) peek() *line {
	if p.next < len(p.lines) {
		return &p.lines[p.next]
	}
	return nil
}

// parse returns the directives of the top level.
func (p *parser) parse() []*directive {
	top, _ := p.block(grammar(), nil, 0)
	return top
}

// block reads words up to the brace that closes the block of opener, or to the end.
// closed tells whether the brace was there.
func (p *parser) block(words *words, opener *directive, depth int) (list []*directive, closed bool) {
	var swallower *directive // the unknown word whose braces upset the blocks
	for l := p.peek(); l != nil; l = p.peek() {
		p.next++
		args := splitWords(l.text)
		switch {
		case len(args) == 0:
			continue
		case l.text == "}" && opener != nil:
			if swallower != nil {
				p.report.Person(l.at, "this brace closes %s, not %s: keepalived reads the lines that follow outside of %s", opener.name(), swallower.name(), opener.name())
			}
			return list, true
		case l.text == "}":
			p.report.Person(l.at, "there is a } too many: keepalived ignores it")
			continue
		case l.text == "{":
			if len(list) > 0 && list[len(list)-1].word == nil {
				swallower = list[len(list)-1]
				p.report.Person(l.at, "keepalived does not know %s, so it ignores this brace and reads the lines inside as if they stood in %s", swallower.name(), nameOf(opener))
			} else {
				p.report.Person(l.at, "there is a { too many: keepalived ignores it")
			}
			continue
		}
		d := &directive{at: l.at, text: l.text, args: args, comments: l.comments, word: words.by[args[0]]}
		p.report.Directives++
		list = append(list, d)
		if d.word == nil {
			p.unknown(d, words, opener)
			continue
		}
		p.open(d, depth)
	}
	return list, false
}

func nameOf(opener *directive) string {
	if opener == nil {
		return "the top level"
	}
	return opener.name()
}

func (p *parser) unknown(d *directive, words *words, opener *directive) {
	text := fmt.Sprintf("keepalived does not know %s here and ignores it", d.name())
	if opener == nil && p.next < len(p.lines) && p.lines[p.next].text != "{" || opener != nil {
		text = fmt.Sprintf("keepalived does not know %s in %s and ignores it", d.name(), nameOf(opener))
	}
	if hint := words.meant(d.name()); hint != "" {
		text += "; " + hint
	}
	p.report.Person(d.at, "%s", text)
}

// open reads the block of a word that has one.
func (p *parser) open(d *directive, depth int) {
	if d.word.shape == leaf {
		return
	}
	if l := p.peek(); l != nil && l.text == "{" {
		p.next++
	} else {
		p.report.Person(d.at, "the { of %s is missing: keepalived reads on as if it were there", d.name())
	}
	var closed bool
	if d.word.shape == values {
		d.body, closed = p.values()
	} else {
		d.body, closed = p.block(d.word.sub, d, depth+1)
	}
	if !closed {
		p.report.Person(d.at, "the } of %s is missing: it ends with the file", d.name())
	}
}

// values reads the lines of a block of values.
func (p *parser) values() (list []*directive, closed bool) {
	for l := p.peek(); l != nil; l = p.peek() {
		p.next++
		args := splitWords(l.text)
		switch {
		case l.text == "}":
			return list, true
		case l.text == "{":
			p.report.Person(l.at, "there is a { too many: keepalived does not understand it here")
			continue
		case len(args) == 0:
			continue
		}
		p.report.Directives++
		list = append(list, &directive{at: l.at, text: l.text, args: args, comments: l.comments})
	}
	return list, false
}
