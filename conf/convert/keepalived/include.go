package keepalived

import (
	"path/filepath"
	"strings"

	"holdfast/conf/convert"
)

// include reads the files of an include line, and reports whether it was one.
func (r *reader) include(at convert.Position, text string) bool {
	words := splitWords(text)
	if len(words) != 2 {
		return false
	}
	switch words[0] {
	case "include", "includer", "includem", "includew", "includeb", "includea":
	default:
		return false
	}
	r.report.Directives++
	for _, pattern := range braces(words[1]) {
		r.includeAll(at, pattern)
	}
	return true
}

// includeAll reads the files that match a pattern. A pattern is relative to the
// file that it stands in.
func (r *reader) includeAll(at convert.Position, pattern string) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(r.dir, pattern)
	}
	var paths []string
	if r.in.Glob != nil {
		paths, _ = r.in.Glob(pattern)
	}
	if len(paths) == 0 {
		if strings.ContainsAny(pattern, "*?[") {
			r.report.Note(at, "no file matches %s", pattern)
		} else {
			r.report.Person(at, "%s does not exist: keepalived ran without it", pattern)
		}
	}
	comments := r.comments
	r.depth++
	for _, p := range paths {
		if r.full {
			break
		}
		text, err := r.in.Read(p)
		if err != nil {
			r.report.Person(at, "%v", err)
			continue
		}
		r.read(convert.File{Name: p, Text: string(text)})
	}
	r.depth--
	r.comments = comments
}

// maxBraces bounds the patterns that one pattern with braces makes.
const maxBraces = 256

// braces expands "{a,b}" as csh does.
func braces(pattern string) []string {
	list := []string{pattern}
	for i := 0; i < len(list) && len(list) < maxBraces; {
		before, inner, after, ok := braceGroup(list[i])
		if !ok {
			i++
			continue
		}
		var made []string
		for _, choice := range inner {
			made = append(made, before+choice+after)
		}
		list = append(list[:i], append(made, list[i+1:]...)...)
	}
	return list
}

// braceGroup finds the first group of braces in s, and its choices.
func braceGroup(s string) (before string, choices []string, after string, ok bool) {
	open := strings.IndexByte(s, '{')
	if open < 0 {
		return "", nil, "", false
	}
	depth, from := 0, open+1
	for i := open; i < len(s); i++ {
		switch s[i] {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 || depth == 1 && s[i] == ',' {
			choices = append(choices, s[from:i])
			from = i + 1
		}
		if depth == 0 {
			return s[:open], choices, s[i+1:], true
		}
	}
	return "", nil, "", false
}
