package keepalived

import (
	"path/filepath"
	"strconv"
	"strings"

	"holdfast/conf/convert"
)

// A definition is what $NAME stands for.
type definition struct {
	lines    []string
	several  bool // defined over several lines
	repeated bool // the variable of ~SEQ or ~LST
}

// define takes a line $NAME=VALUE, and reports whether it is one.
func (r *reader) define(text string) bool {
	if len(text) < 2 || text[0] != '$' {
		return false
	}
	n := nameLength(text[1:])
	if n == 0 || n+1 >= len(text) || text[n+1] != '=' {
		return false
	}
	value := strings.TrimLeft(text[n+2:], " \t")
	d := &definition{}
	r.defs[text[1:n+1]] = d
	if first, more := strings.CutSuffix(value, "\\"); more {
		d.several = true
		d.lines = append(d.lines, strings.TrimRight(first, " \t"))
		r.defining = d
		return true
	}
	d.lines = []string{value}
	return true
}

// continued takes the next line of a definition of several lines. Any line without
// a backslash at its end is the last one.
func (r *reader) continued(text string) {
	d := r.defining
	text, more := strings.CutSuffix(text, "\\")
	if !more {
		r.defining = nil
	}
	if text = strings.TrimRight(text, " \t"); text != "" {
		if len(d.lines) > maxLines/100 {
			return
		}
		d.lines = append(d.lines, text)
	}
}

// nameLength returns how many bytes at the beginning of s are the name of a
// definition.
func nameLength(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return i
		}
	}
	return len(s)
}

// replace replaces the first definition that the text uses. following are further
// lines of it. $NAME is replaced only before a blank and at the end of the line,
// ${NAME} anywhere. A definition of several lines must stand at the end.
func (r *reader) replace(at convert.Position, text string) (replaced string, following []string, changed bool) {
	for i := range len(text) {
		if text[i] != '$' {
			continue
		}
		name, args, end, ok := reference(text, i)
		if !ok {
			continue
		}
		if value, found := r.standard(at, name, args); found {
			return text[:i] + value + text[end:], nil, true
		}
		d := r.defs[name]
		if d == nil || args != "" || d.several && end != len(text) {
			continue
		}
		first := ""
		if len(d.lines) > 0 {
			first, following = d.lines[0], d.lines[1:]
		}
		return text[:i] + first + text[end:], append([]string(nil), following...), true
	}
	return text, nil, false
}

// reference parses $NAME or ${NAME ARGUMENTS} at i.
func reference(text string, i int) (name, args string, end int, ok bool) {
	rest := text[i+1:]
	if inner, braced := strings.CutPrefix(rest, "{"); braced {
		n := nameLength(inner)
		close := strings.IndexByte(inner, '}')
		if n == 0 || close < n {
			return "", "", 0, false
		}
		args = strings.TrimSpace(inner[n:close])
		if n < close && inner[n] != ' ' {
			return "", "", 0, false
		}
		return inner[:n], args, i + 1 + 1 + close + 1, true
	}
	n := nameLength(rest)
	if n == 0 || n < len(rest) && rest[n] != ' ' && rest[n] != '\t' {
		return "", "", 0, false
	}
	return rest[:n], "", i + 1 + n, true
}

// standard returns the value of a definition that keepalived makes itself.
func (r *reader) standard(at convert.Position, name, args string) (string, bool) {
	if r.defs[name] != nil {
		return "", false
	}
	switch name {
	case "_PWD":
		dir, err := filepath.Abs(r.dir)
		return dir, err == nil
	case "_INSTANCE":
		return r.id, true
	case "_HASH":
		return "#", true
	case "_BANG":
		return "!", true
	case "_ENV":
		if r.in.Getenv == nil || args == "" {
			return "", args != ""
		}
		value := r.in.Getenv(args)
		if value == "" {
			r.report.Person(at, "the environment variable %s is not set here: set it as keepalived had it, and convert again", args)
		}
		return value, true
	case "_RANDOM":
		low, _, _ := strings.Cut(args, " ")
		if low == "" {
			low = "0"
		}
		r.report.Person(at, "keepalived drew a random number here: the lowest, %s, was taken", low)
		return low, true
	}
	return "", false
}

// repeat carries out ~SEQ, ~SEQx and ~LST: the rest of the line counts once for each
// value.
func (r *reader) repeat(at convert.Position, text string, depth int) {
	var names []string
	var values [][]string
	var rest string
	var ok bool
	switch {
	case strings.HasPrefix(text, "~SEQ"):
		names, values, rest, ok = sequence(text[len("~SEQ"):])
	case strings.HasPrefix(text, "~LST"):
		names, values, rest, ok = valueList(text[len("~LST"):])
	}
	if !ok {
		r.report.Directives++
		r.report.Person(at, "keepalived does not understand the repetition and ignores the line")
		return
	}
	if strings.ContainsAny(rest, "{}") && !strings.HasPrefix(rest, "~") && braceIn(withoutReferences(rest)) < len(withoutReferences(rest)) {
		r.report.Directives++
		r.report.Person(at, "a repetition repeats one line, not a block, so keepalived does not understand this: put the block into a definition of several lines")
		return
	}
	for _, set := range values {
		for i, name := range names {
			r.defs[name] = &definition{lines: []string{set[i]}, repeated: true}
		}
		if r.full {
			return
		}
		r.logical(at, rest, depth+1)
	}
}

// withoutReferences returns s without ${NAME}.
func withoutReferences(s string) string {
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			return s
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			return s
		}
		s = s[:i] + s[i+end+1:]
	}
}

// maxSequence bounds the values of one repetition.
const maxSequence = 70_000

// sequence parses (NAME, START, STEP, END), where START and STEP may be missing, and
// returns the values.
func sequence(s string) (names []string, values [][]string, rest string, ok bool) {
	base := 10
	if after, hex := strings.CutPrefix(s, "x"); hex {
		s, base = after, 16
	}
	inner, rest, ok := parenthesis(s)
	parts := strings.Split(inner, ",")
	if !ok || len(parts) < 2 || len(parts) > 4 {
		return nil, nil, "", false
	}
	var n [3]int64
	for i, p := range parts[1:] {
		v, err := strconv.ParseInt(strings.TrimSpace(p), 0, 32)
		if err != nil {
			return nil, nil, "", false
		}
		n[i] = v
	}
	start, step, end := n[0], n[1], n[2]
	switch len(parts) {
	case 2:
		end, start, step = n[0], 1, 1
		if end < 1 {
			start, step = -1, -1
			if end == 0 {
				start = 1
			}
		}
	case 3:
		start, end, step = n[0], n[1], 1
		if start > end {
			step = -1
		}
	}
	if step == 0 || start < end && step < 0 || start > end && step > 0 {
		return nil, nil, "", false
	}
	for v := start; (step > 0 && v <= end || step < 0 && v >= end) && len(values) < maxSequence; v += step {
		values = append(values, []string{strconv.FormatInt(v, base)})
	}
	return []string{strings.TrimSpace(parts[0])}, values, rest, true
}

// parenthesis returns what is in the parentheses at the beginning of s, and what
// follows.
func parenthesis(s string) (inner, rest string, ok bool) {
	s, open := strings.CutPrefix(strings.TrimLeft(s, " \t"), "(")
	inner, rest, closed := strings.Cut(s, ")")
	return inner, strings.TrimLeft(rest, " \t"), open && closed
}

// valueList parses (NAME, A, B) or ({NAME, NAME}, {A, B}, {C, D}). A value that is
// missing is empty.
func valueList(s string) (names []string, values [][]string, rest string, ok bool) {
	inner, rest, ok := parenthesis(s)
	sets := valueSets(inner)
	if !ok || len(sets) < 2 || len(sets[0]) == 0 {
		return nil, nil, "", false
	}
	names = sets[0]
	for _, set := range sets[1:] {
		if len(set) > len(names) {
			return nil, nil, "", false
		}
		values = append(values, append(set, make([]string, len(names)-len(set))...))
	}
	return names, values, rest, true
}

// valueSets splits "A, {B, C}" at the commas outside braces.
func valueSets(s string) [][]string {
	var sets [][]string
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var one string
		if inner, braced := strings.CutPrefix(s, "{"); braced {
			one, s, _ = strings.Cut(inner, "}")
			_, s, _ = strings.Cut(s, ",")
			set := strings.Split(one, ",")
			for i := range set {
				set[i] = strings.TrimSpace(set[i])
			}
			sets = append(sets, set)
			continue
		}
		one, s, _ = strings.Cut(s, ",")
		sets = append(sets, []string{strings.TrimSpace(one)})
	}
	return sets
}
