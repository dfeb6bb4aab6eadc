package conf

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// A table is one table of the configuration while a visit function walks over
// its keys. The same visit function serves two kinds of walk: reading (in != nil)
// sets the visited variables from the file, and writing (out != nil) writes them
// out. Only reading checks anything.
type table struct {
	parent *table // nil for the top level
	key    string // of the parent, whose value this table is, or an element of it
	index  int    // of the element; -1: none
	kind   string // without the names of elements: "service.check"

	in     *reader
	self   value // the table itself
	keys   map[string]value
	asked  []string          // keys that the visit function asked for
	wrong  map[string]bool   // keys with an error
	lacks  map[string]string // required keys that are missing ⇒ message
	schema *schema           // of the kind

	out   *section
	brief bool // keys that have their defaults are not written
}

// reading reports whether the walk sets variables from a file.
func (t *table) reading() bool { return t.in != nil }

// has reports whether the file gives key.
func (t *table) has(key string) bool {
	_, ok := t.keys[key]
	return ok
}

// ok reports whether none of keys has an error.
func (t *table) ok(keys ...string) bool {
	for _, key := range keys {
		if t.wrong[key] {
			return false
		}
	}
	return true
}

// clean reports whether the table has no error.
func (t *table) clean() bool { return len(t.wrong) == 0 }

// at returns the value of key, or the table itself if the file does not give the
// key, for its position.
func (t *table) at(key string) value {
	if v, ok := t.keys[key]; ok {
		return v
	}
	return t.self
}

// failf notes an error of key, at the line of the key or, if it is not given, of
// the table. Key "" is the table itself.
func (t *table) failf(key, format string, args ...any) {
	t.failAt(t.at(key), key, format, args...)
}

// failAt notes an error of key at a position within its value.
func (t *table) failAt(at value, key, format string, args ...any) {
	t.spoil(key)
	t.in.fail(at, t.keyPath(key), format, args...)
}

// spoil notes that key has an error.
func (t *table) spoil(key string) {
	if t.wrong == nil {
		t.wrong = make(map[string]bool)
	}
	t.wrong[key] = true
}

// warnf notes a warning about key, where failf would note an error.
func (t *table) warnf(key, format string, args ...any) {
	t.in.warn(t.at(key), t.keyPath(key), format, args...)
}

// path names the table in messages: "service.web.check"; "" is the top level.
func (t *table) path() string {
	if t.parent == nil {
		return ""
	}
	name := t.key
	if t.index >= 0 {
		name += selector(t.keys, t.index)
	}
	return dotted(t.parent.path(), name)
}

// keyPath is the whole path of key; key "" is the table itself.
func (t *table) keyPath(key string) string {
	path := t.path()
	switch {
	case path == "":
		return key
	case key == "":
		return path
	}
	return path + "." + key
}

// where returns "file:line" of key, or of the table if key is not given.
func (t *table) where(key string) string {
	at := t.at(key)
	return at.file + ":" + strconv.Itoa(at.line)
}

// forbid notes an error for each of keys that the file gives, because it has no
// effect. why completes the message: "with forward = nat".
func (t *table) forbid(why string, keys ...string) {
	for _, key := range keys {
		if t.has(key) {
			t.failf(key, "has no effect %s", why)
		}
	}
}

// ask marks key as known, and returns its value.
func (t *table) ask(key string) (value, bool) {
	t.asked = append(t.asked, key)
	v, ok := t.keys[key]
	return v, ok
}

// field visits an optional key with the default def. After an error of the codec
// *p is def too, so that checks across keys can still run.
func field[T any](t *table, key string, p *T, c codec[T], def T) {
	if !t.reading() {
		t.write(key, c.encode(*p), func() any { return c.encode(def) })
		return
	}
	*p = def
	v, ok := t.ask(key)
	if !ok {
		return
	}
	got, ok := c.decode(v, func(at value, message string) { t.failAt(at, key, "%s", message) })
	if ok {
		*p = got
	}
}

// write adds key to the output. A brief table leaves out a key whose encoded
// value is that of its default.
func (t *table) write(key string, encoded any, def func() any) {
	if !t.brief || !reflect.DeepEqual(encoded, def()) {
		t.out.put(key, encoded)
	}
}

// need visits a required key. It is written even when it is the zero value.
func need[T any](t *table, key string, p *T, c codec[T]) {
	if !t.reading() {
		t.out.put(key, c.encode(*p))
		return
	}
	var zero T
	field(t, key, p, c, zero)
	if !t.has(key) {
		t.lack(key, "is required")
	}
}

// lack notes that a required key is missing. finish reports it, unless a
// misspelt key explains it.
func (t *table) lack(key, message string) {
	t.spoil(key)
	if t.lacks == nil {
		t.lacks = make(map[string]string)
	}
	t.lacks[key] = message
}

// sub visits the table key. A missing table is visited like an empty one.
func (t *table) sub(key string, visit func(*table)) {
	if !t.reading() {
		child := &table{out: &section{name: key}, brief: t.brief}
		visit(child)
		t.out.subs = append(t.out.subs, child.out)
		return
	}
	v, ok := t.ask(key)
	if !ok {
		v = value{file: t.self.file, line: t.self.line, data: map[string]value{}}
	}
	keys, ok := v.data.(map[string]value)
	if !ok {
		t.failf(key, "must be a table, written as [%s]", dotted(t.kind, key))
		return
	}
	t.child(key, -1, v, keys, visit)
}

// maybe visits the table key if the file has it or, when writing, if present.
func (t *table) maybe(key string, present bool, visit func(*table)) {
	if t.reading() {
		_, present = t.ask(key)
	}
	if present {
		t.sub(key, visit)
	}
}

// list visits each table of the array key. When reading it returns the tables,
// which run beside *items. An element that is not a table is left out.
func list[T any](t *table, key string, items *[]T, visit func(*table, *T)) []*table {
	if !t.reading() {
		for i := range *items {
			child := &table{out: &section{name: key, array: true}, brief: t.brief}
			visit(child, &(*items)[i])
			t.out.subs = append(t.out.subs, child.out)
		}
		return nil
	}
	v, ok := t.ask(key)
	if !ok {
		return nil
	}
	values, ok := v.data.([]value)
	if !ok {
		t.failf(key, "must be an array of tables, written as [[%s]]", dotted(t.kind, key))
		return nil
	}
	*items = slices.Grow(*items, len(values))
	tables := make([]*table, 0, len(values))
	for i, v := range values {
		keys, ok := v.data.(map[string]value)
		if !ok {
			t.failAt(v, key, "must be a table, written as [[%[2]s]], not %[1]v", v, dotted(t.kind, key))
			continue
		}
		var zero T
		*items = append(*items, zero)
		item := &(*items)[len(*items)-1]
		tables = append(tables, t.child(key, i, v, keys, func(c *table) { visit(c, item) }))
	}
	return tables
}

// child visits the table v, which is the value of key (index -1) or an element of it.
func (t *table) child(key string, index int, v value, keys map[string]value, visit func(*table)) *table {
	child := newTable(t.in, dotted(t.kind, key), v, keys)
	child.parent, child.key, child.index = t, key, index
	visit(child)
	child.finish()
	return child
}

// newTable returns a table of a file.
func newTable(in *reader, kind string, self value, keys map[string]value) *table {
	s := in.schemaOf(kind)
	return &table{index: -1, kind: kind, in: in, self: self, keys: keys, schema: s, asked: make([]string, 0, len(s.latest))}
}

// finish notes the keys that were asked for, and reports the unknown and the missing ones.
func (t *table) finish() {
	t.schema.note(t.asked)
	var unknown []string
	for key := range t.keys {
		if !slices.Contains(t.asked, key) {
			unknown = append(unknown, key)
		}
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		meant, hint := fromKeepalived(key, t.asked)
		if meant == "" {
			meant = nearest(key, slices.Sorted(slices.Values(t.asked)))
			hint = didYouMean(meant)
		}
		delete(t.lacks, meant)
		t.failf(key, "unknown key%s", hint)
	}
	for key, message := range t.lacks {
		t.failf(key, "%s", message)
	}
}

// selector tells the elements of an array apart in messages: by name or address
// (".web") or else by number ("#2").
func selector(keys map[string]value, index int) string {
	for _, key := range []string{"name", "address"} {
		if name, ok := keys[key].data.(string); ok && name != "" {
			return "." + quoteKey(name)
		}
	}
	return fmt.Sprintf("#%d", index+1)
}

// dotted joins two parts of a path. The first can be empty.
func dotted(a, b string) string { return strings.TrimPrefix(a+"."+b, ".") }
