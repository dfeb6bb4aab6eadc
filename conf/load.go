package conf

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// MaxFileSize bounds a file of the configuration, in bytes. A configuration of
// a thousand services stays far below.
const MaxFileSize = 4 << 20

// Load reads the configuration file at path and the files that it includes.
// Its error is an Errors that lists every mistake.
func Load(path string) (*Config, error) {
	return load(path, system)
}

// Parse is Load of a file whose content is src; what it includes is read from
// disk, relative to path.
func Parse(path string, src []byte) (*Config, error) {
	env := system
	env.readFile = func(name string) ([]byte, error) {
		if name == path {
			return src, nil
		}
		return system.readFile(name)
	}
	return load(path, env)
}

// RuntimeDir returns the runtime directory that the file at path names, whatever
// else is wrong with that; where it cannot be told, the usual one.
func RuntimeDir(path string) string {
	r := newReader(system)
	return cmp.Or(r.read(r.gather(path)).Director.RuntimeDir, defaultRuntimeDir)
}

func newReader(env environment) *reader {
	return &reader{env: env, schema: make(map[string]map[string]bool)}
}

func load(path string, env environment) (*Config, error) {
	r := newReader(env)
	root := r.gather(path)
	if len(r.errs) > 0 {
		return nil, r.errs.sorted()
	}
	c := r.read(root)
	if len(r.errs) > 0 {
		return nil, r.errs.sorted()
	}
	return c, nil
}

// read turns the merged tree of all files into a Config.
func (r *reader) read(root value) *Config {
	t := &table{in: r, place: root, keys: root.data.(map[string]value), asked: []string{"include"}, known: r.known(""), wrong: make(map[string]bool)}
	var c Config
	tables := c.visit(t)
	t.finish()
	c.resolve(tables)
	if len(c.VRRP) == 0 && len(c.Services) == 0 && len(r.errs) == 0 {
		// An empty file would have a reload take everything down.
		t.failf("", "there is no [[vrrp]] and no [[service]]: nothing to do")
	}
	return &c
}

// An environment is what loading needs of the machine.
type environment struct {
	readFile func(path string) ([]byte, error)
	glob     func(pattern string) ([]string, error) // sorted
	realPath func(path string) string               // without symbolic links
	hostname func() (string, error)
	// readSecret reads a file of strict permissions; nil: there are none.
	readSecret func(path string) ([]byte, error)
}

var system = environment{
	readFile: readFile,
	glob:     filepath.Glob,
	realPath: func(path string) string {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		if abs, err := filepath.Abs(path); err == nil {
			path = abs
		}
		return path
	},
	hostname:   os.Hostname,
	readSecret: readSecret,
}

// readFile reads a file of at most MaxFileSize bytes. Its errors name the file.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1))
	if err != nil {
		return nil, err
	}
	if len(src) > MaxFileSize {
		return nil, fmt.Errorf("read %s: larger than %d MiB", path, MaxFileSize>>20)
	}
	return src, nil
}

// gather reads the file at path and all that it includes, and returns one tree.
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

// fail notes an error outside of any table.
func (r *reader) fail(at value, key, format string, args ...any) {
	r.errs = append(r.errs, Error{File: at.file, Line: at.line, Key: key, Message: fmt.Sprintf(format, args...)})
}

// A gatherer merges files.
type gatherer struct {
	*reader
	included map[string]string // real path ⇒ where it was included
	root     map[string]value
}

// add merges the file at path into the tree, then what it includes. chain is
// the files that lead to it.
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

// merge adds a key of the top level: lists grow, anything else may be given once.
func (g *gatherer) merge(key string, v value) {
	first, ok := g.root[key]
	if !ok {
		g.root[key] = v
		return
	}
	before, ok1 := first.data.([]value)
	items, ok2 := v.data.([]value)
	if !ok1 || !ok2 {
		g.fail(v, key, "is given already, at %s:%d", first.file, first.line)
		return
	}
	first.data = slices.Concat(before, items)
	g.root[key] = first
}

// include reads the files that the key include of the file at path names.
func (g *gatherer) include(path string, include value, chain []string) {
	fail := func(place value, message string) { g.fail(place, "include", "%s", message) }
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
				fail(item, fmt.Sprintf("%q is not a pattern: %v", item.data, err))
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
		g.fail(item, "include", "%s is included already, at %s", path, first)
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
		g.fail(value{file: path, line: line}, "", "is not UTF-8 text")
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
	return joinTable(path, tree, locate(src)), true
}
