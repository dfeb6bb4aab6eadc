package keepalived

import (
	"path"
	"strings"

	"holdfast/conf/convert"
)

// The bounds of what is read. No configuration comes near them.
const (
	maxIncludes = 1000     // files
	maxDepth    = 50       // includes inside includes, and definitions inside definitions
	maxLines    = 300_000  // logical lines, after all repetitions
	maxText     = 64 << 20 // bytes of logical lines
	maxLine     = 16 << 10 // bytes of one line
)

// A line is a logical line: a brace alone, or text without one outside quotes.
type line struct {
	at       convert.Position
	text     string
	comments []string
}

// A reader expands files to logical lines.
type reader struct {
	in     convert.Input
	report *convert.Report
	id     string // the configuration id, which @ conditions are compared with
	defs   map[string]*definition
	out    []line
	size   int
	files  int
	full   bool // a bound was reached, and the report says so

	defining *definition // a definition of several lines that is not complete
	comments []string    // that stand above the next line
	dir      string      // of the file that is read
	depth    int         // of includes
	head     []string    // comments at the top, before an empty line
	prefixes bool        // a condition with a director's name was found
}

// read reads a file, line by line.
func (r *reader) read(f convert.File) {
	if r.files++; r.files > maxIncludes || r.depth > maxDepth {
		r.stop(convert.Position{File: f.Name, Line: 1}, "too many files are included: does a file include itself?")
		return
	}
	dir := r.dir
	r.dir = path.Dir(f.Name)
	defer func() { r.dir = dir }()
	r.comments, r.defining = nil, nil
	n := 0
	for raw := range strings.Lines(f.Text) {
		n++
		if r.full {
			return
		}
		r.physical(convert.Position{File: f.Name, Line: n}, strings.TrimRight(raw, "\r\n"))
	}
}

// physical takes one line of a file.
func (r *reader) physical(at convert.Position, raw string) {
	if len(raw) > maxLine {
		r.report.Person(at, "the line is too long")
		return
	}
	if i := strings.IndexByte(raw, 0); i >= 0 {
		r.report.Note(at, "keepalived reads a line up to its first NUL byte")
		raw = raw[:i]
	}
	text, comment, unclosed := decomment(raw)
	if unclosed {
		r.report.Note(at, "the quote is not closed")
	}
	if cut := len(strings.TrimRight(raw, "\\")) - len(comment); comment != "" && text != "" && cut > 0 && !strings.ContainsRune(" \t;{}", rune(raw[cut-1])) && strings.HasSuffix(strings.TrimRight(raw, "\\"), comment) {
		r.report.Note(at, "the sign %c begins a comment although no blank is before it: what follows is lost; probably quotes are missing", comment[0])
	}
	if r.defining != nil {
		r.continued(text)
		return
	}
	if text == "" {
		switch {
		case comment != "":
			r.comment(comment)
		case strings.TrimSpace(raw) == "":
			if len(r.out) == 0 && r.files == 1 {
				r.head = append(r.head, r.comments...)
			}
			r.comments = nil
		}
		return
	}
	if comment != "" {
		r.comment(comment)
	}
	if strings.Contains(text, "{{") || strings.Contains(text, "{%") {
		r.report.Directives++
		r.report.Person(at, "this is a placeholder of a template: convert the file that the template makes")
		return
	}
	r.logical(at, text, 0)
	r.comments = nil
}

// comment keeps a comment, unless it may hold a secret or is only decoration.
func (r *reader) comment(text string) {
	text = strings.TrimSpace(strings.TrimLeft(text, "!# \t"))
	lower := strings.ToLower(text)
	for _, word := range []string{"auth_pass", "password", "passwd", "secret"} {
		if strings.Contains(lower, word) {
			return
		}
	}
	if strings.Trim(text, "-=*_#!+~. \t") == "" || len(r.comments) >= 50 {
		return
	}
	r.comments = append(r.comments, printable(text))
}

// printable replaces what must not stand in a comment of TOML.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, "�"))
}

// decomment removes the comment from a line, and blanks at both ends. Both signs
// begin a comment anywhere outside double quotes. A backslash protects a sign; at the
// end of the line it means that a definition goes on, even behind a comment.
func decomment(s string) (text, comment string, unclosed bool) {
	s = strings.TrimLeft(s, " \t")
	var b strings.Builder
	quoted, continues, cut := false, false, -1
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 == len(s):
			continues = true
			continue
		case cut >= 0:
			continue
		case c == '"':
			quoted = !quoted
		case c == '\\' && !quoted && (s[i+1] == '#' || s[i+1] == '!'):
			i++
			c = s[i]
		case c == '\\':
			b.WriteByte(c)
			i++
			c = s[i]
		case !quoted && (c == '!' || c == '#'):
			cut = i
			continue
		}
		b.WriteByte(c)
	}
	if cut >= 0 {
		comment = strings.TrimSuffix(s[cut:], "\\")
	}
	text = strings.TrimRight(b.String(), " \t")
	if continues {
		text += "\\"
	}
	return text, comment, quoted
}

// logical takes a line without its comment: it carries out conditions, definitions,
// repetitions and includes, and passes on the rest.
func (r *reader) logical(at convert.Position, text string, depth int) {
	if depth > maxDepth {
		r.stop(at, "a definition contains itself")
		return
	}
	var following []string // further lines of a definition
	for !r.full {
		var holds bool
		if text, holds = r.condition(text); !holds {
			break
		}
		if r.define(text) {
			break
		}
		if strings.HasPrefix(text, "~") {
			r.repeat(at, text, depth)
			break
		}
		replaced, more, changed := r.replace(at, text)
		if changed {
			following = append(more, following...)
			if len(replaced) > maxLine {
				r.stop(at, "a definition makes the line too long")
				return
			}
			if depth++; depth > 20*maxDepth {
				r.stop(at, "a definition contains itself")
				return
			}
			text = replaced
			continue
		}
		if !r.include(at, text) {
			r.split(at, text)
		}
		break
	}
	for _, next := range following {
		if r.full {
			return
		}
		if next != "" {
			r.logical(at, next, depth+1)
		}
	}
}

// condition removes @ID or @^ID from the beginning of a line, and reports whether
// the line counts.
func (r *reader) condition(text string) (rest string, holds bool) {
	for strings.HasPrefix(text, "@") {
		word, rest, found := cutBlank(text[1:])
		if !found {
			return "", false
		}
		id, not := strings.CutPrefix(word, "^")
		r.prefixes = true
		if (id == r.id) == not {
			return "", false
		}
		text = rest
	}
	return text, text != ""
}

// cutBlank cuts s at its first blanks.
func cutBlank(s string) (word, rest string, found bool) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, "", false
	}
	return s[:i], strings.TrimLeft(s[i:], " \t"), true
}

// split divides a line at braces outside double quotes.
func (r *reader) split(at convert.Position, text string) {
	for text = strings.Trim(text, " \t"); text != ""; text = strings.Trim(text, " \t") {
		n := 1
		if text[0] != '{' && text[0] != '}' {
			n = braceIn(text)
		}
		r.emit(at, strings.TrimRight(text[:n], " \t"))
		text = text[n:]
	}
}

// braceIn returns where the first brace outside double quotes is, or the length.
func braceIn(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '}':
			return i
		case '"':
			j := strings.IndexByte(text[i+1:], '"')
			if j < 0 {
				return len(text)
			}
			i += j + 1
		}
	}
	return len(text)
}

func (r *reader) emit(at convert.Position, text string) {
	r.size += len(text)
	if len(r.out) >= maxLines || r.size > maxText {
		r.stop(at, "the configuration is too long")
		return
	}
	r.out = append(r.out, line{at: at, text: text, comments: r.comments})
	if text != "{" && text != "}" {
		r.comments = nil
	}
}

// stop ends the reading.
func (r *reader) stop(at convert.Position, why string) {
	if !r.full {
		r.full = true
		r.report.Person(at, "%s; the rest was not read", why)
	}
}
