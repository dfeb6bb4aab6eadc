package schema

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Names says what a type is called in the schema, where it is not its name in Go.
type Names map[reflect.Type]string

// Update returns the schema of the type of root with the structure of the Go types and
// the words of the schema before, and the properties that it has no words for.
func Update(before []byte, root reflect.Type, names Names) (after []byte, wordless []string, err error) {
	u := updater{names: names, used: map[string]reflect.Type{}, defs: map[string]*object{}}
	if err := json.Unmarshal(before, &u.before); err != nil {
		return nil, nil, fmt.Errorf("read the schema: %w", err)
	}
	words, _ := u.before["$defs"].(map[string]any)
	u.words = words
	schema := &object{}
	schema.set("$schema", "https://json-schema.org/draft/2020-12/schema")
	keep(schema, u.before)
	u.fill(schema, root, u.before, "")
	defs := &object{}
	for _, name := range slices.Sorted(maps.Keys(u.defs)) {
		defs.set(name, u.defs[name])
	}
	schema.set("$defs", defs)
	text, err := plain(schema)
	if err != nil {
		return nil, nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), u.wordless, nil
}

type updater struct {
	names    Names
	before   map[string]any
	words    map[string]any          // the definitions before
	used     map[string]reflect.Type // by the name of the definition
	defs     map[string]*object
	wordless []string
}

// kept are the members of a schema that people write.
var kept = []string{"title", "description", "const", "enum", "minimum", "maximum", "examples", "deprecated"}

func keep(o *object, before map[string]any) {
	for _, key := range kept {
		if value, ok := before[key]; ok {
			o.set(key, value)
		}
	}
}

// fill adds the properties of a struct to the schema o.
func (u *updater) fill(o *object, t reflect.Type, before map[string]any, name string) {
	words, _ := before["properties"].(map[string]any)
	properties, required := &object{}, []string{}
	for _, f := range fields(t) {
		old, _ := words[f.key].(map[string]any)
		property := &object{}
		u.describe(property, f.of)
		keep(property, old)
		properties.set(f.key, property)
		if f.always {
			required = append(required, f.key)
		}
		if text, _ := old["description"].(string); text == "" {
			u.wordless = append(u.wordless, strings.TrimPrefix(name+"."+f.key, "."))
		}
	}
	o.set("type", "object")
	o.set("properties", properties)
	o.set("required", required)
}

// describe adds the structure of a value of type t.
func (u *updater) describe(o *object, t reflect.Type) {
	switch {
	case t.Kind() == reflect.Pointer:
		u.describe(o, t.Elem())
		return
	case t == reflect.TypeFor[time.Time]():
		o.set("type", "string")
		o.set("format", "date-time")
		return
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		o.set("type", "string")
		return
	}
	switch t.Kind() {
	case reflect.Struct:
		o.set("$ref", "#/$defs/"+u.define(t))
	case reflect.Slice:
		o.set("type", "array")
		u.describeIn(o, "items", t.Elem())
	case reflect.Map:
		o.set("type", "object")
		u.describeIn(o, "additionalProperties", t.Elem())
	default:
		o.set("type", scalar(t))
		if strings.HasPrefix(t.Kind().String(), "uint") {
			o.set("minimum", 0)
		}
	}
}

func (u *updater) describeIn(o *object, key string, t reflect.Type) {
	inner := &object{}
	u.describe(inner, t)
	o.set(key, inner)
}

func scalar(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float32, reflect.Float64:
		return "number"
	}
	return "integer"
}

// define adds the definition of a struct, and returns its name.
func (u *updater) define(t reflect.Type) string {
	name := t.Name()
	if other := u.names[t]; other != "" {
		name = other
	}
	if was, ok := u.used[name]; ok {
		if was != t {
			panic(fmt.Sprintf("schema: %v and %v are both called %s", was, t, name))
		}
		return name
	}
	u.used[name] = t
	before, _ := u.words[name].(map[string]any)
	definition := &object{}
	keep(definition, before)
	u.defs[name] = definition
	u.fill(definition, t, before, name)
	if text, _ := before["description"].(string); text == "" {
		u.wordless = append(u.wordless, name)
	}
	return name
}

type field struct {
	key    string
	of     reflect.Type
	always bool // not left out when it is empty
}

// fields returns what encoding/json writes of a struct.
func fields(t reflect.Type) []field {
	var list []field
	for f := range t.Fields() {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			list = append(list, embedded(f.Type)...)
			continue
		}
		if tag == "-" || !f.IsExported() {
			continue
		}
		list = append(list, field{tag, f.Type, !strings.Contains(options, "omit")})
	}
	return list
}

// embedded returns the fields of an embedded struct. Behind a pointer, they may be missing.
func embedded(t reflect.Type) []field {
	if t.Kind() != reflect.Pointer {
		return fields(t)
	}
	list := fields(t.Elem())
	for i := range list {
		list[i].always = false
	}
	return list
}
