package conf

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// gather reads the file at path and the files that it includes, and returns them
// as one tree.
func (r *reader) gather(path string) value {
	g := &gatherer{reader: r, included: make(map[string]string), root: make(map[string]value)}
	src, err := r.env.readFile(path)
	if err != nil {
		r.fail(value{file: path}, "", "%v", err)
	} else {
		g.add(path, src, nil)
	}
	return value{file: path, line: 1, data: g.root}
}

// A gatherer merges files.
type gatherer struct {
	*reader
	included map[string]string // real path ⇒ file:line of the include
	root     map[string]value
}

// add merges the file at path into the tree, then the files that it includes.
// chain has the real paths of the files that include it.
func (g *gatherer) add(path string, src []byte, chain []string) {
	chain = append(chain, g.env.realPath(path))
	keys, ok := g.parse(path, string(src))
	if !ok {
		return
	}
	for key, v := range keys {
		if key != "include" {
			g.merge(key, v)
		}
	}
	if include, ok := keys["include"]; ok {
		g.include(path, include, chain)
	}
}

// merge adds a key of the top level. Lists are joined; any other key must be
// unique.
func (g *gatherer) merge(key string, v value) {
	first, ok := g.root[key]
	if !ok {
		g.root[key] = v
		return
	}
	before, ok1 := first.data.([]value)
	items, ok2 := v.data.([]value)
	if !ok1 || !ok2 {
		g.fail(v, key, "is already set at %s:%d", first.file, first.line)
		return
	}
	first.data = slices.Concat(before, items)
	g.root[key] = first
}

// include reads the files that the key include of the file at path names.
func (g *gatherer) include(path string, include value, chain []string) {
	fail := func(at value, message string) { g.fail(at, "include", "%s", message) }
	if _, ok := listOf(text).decode(include, fail); !ok {
		return
	}
	for _, item := range include.data.([]value) {
		pattern := item.data.(string)
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join(filepath.Dir(path), pattern)
		}
		paths := []string{pattern}
		if strings.ContainsAny(pattern, `*?[\`) {
			var err error
			if paths, err = g.env.glob(pattern); err != nil {
				fail(item, fmt.Sprintf("%q is not a valid pattern: %v", item.data, err))
			}
		}
		for _, p := range paths {
			g.includeFile(p, item, chain)
		}
	}
}

func (g *gatherer) includeFile(path string, item value, chain []string) {
	real := g.env.realPath(path)
	for _, c := range chain {
		if c == real {
			g.fail(item, "include", "%s includes itself", path)
			return
		}
	}
	if first, ok := g.included[real]; ok {
		g.fail(item, "include", "%s is already included at %s", path, first)
		return
	}
	g.included[real] = fmt.Sprintf("%s:%d", item.file, item.line)
	src, err := g.env.readFile(path)
	if err != nil {
		g.fail(item, "include", "%v", err)
		return
	}
	g.add(path, src, chain)
}

// parse returns the keys of one file.
func (g *gatherer) parse(path, src string) (map[string]value, bool) {
	src = strings.TrimPrefix(src, "\ufeff")
	if !utf8.ValidString(src) {
		valid := strings.ToValidUTF8(src, "\x00")
		line := 1 + strings.Count(valid[:strings.IndexByte(valid, 0)], "\n")
		g.fail(value{file: path, line: line}, "", "is not valid UTF-8")
		return nil, false
	}
	// Before the library sees it: deep nesting costs the library quadratic time.
	positions, bad := locate(src)
	if bad != nil {
		g.fail(value{file: path, line: bad.line}, "", "%s", bad.message)
		return nil, false
	}
	var tree map[string]any
	if _, err := toml.Decode(src, &tree); err != nil {
		line, message := 1, err.Error()
		if syntax, ok := errors.AsType[toml.ParseError](err); ok {
			line, message = max(1, syntax.Position.Line), strings.TrimSuffix(syntax.Message, ".")
		}
		g.fail(value{file: path, line: line}, "", "%s", message)
		return nil, false
	}
	return joinTable(path, tree, positions), true
}
