package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Bundle says how the schemas of other files are called in a bundled document: the
// prefix of their definitions, and the name of the whole.
type Bundle map[string]struct{ Prefix, Whole string }

// OpenAPI returns the OpenAPI document in a YAML file as JSON, with the schemas of other
// files among its components: many generators of clients cannot read other files.
func (b Bundle) OpenAPI(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read an OpenAPI document: %w", err)
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	b.point(document, "")
	components, _ := document["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	for file, names := range b {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(path), file))
		if err != nil {
			return nil, fmt.Errorf("read a schema: %w", err)
		}
		var whole map[string]any
		if err := json.Unmarshal(text, &whole); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		b.point(whole, file)
		definitions, _ := whole["$defs"].(map[string]any)
		for name, definition := range definitions {
			if schemas[names.Prefix+name] != nil {
				return nil, fmt.Errorf("two schemas are called %s", names.Prefix+name)
			}
			schemas[names.Prefix+name] = definition
		}
		delete(whole, "$defs")
		delete(whole, "$schema")
		schemas[names.Whole] = whole
	}
	return indented(document)
}

// point makes references in a part of a file point to the components.
func (b Bundle) point(part any, file string) {
	const definitions = "#/$defs/"
	switch p := part.(type) {
	case map[string]any:
		if ref, ok := p["$ref"].(string); ok {
			in, at, _ := strings.Cut(ref, "#")
			if in == "" {
				in = file
			}
			names, other := b[in]
			switch name, isDefinition := strings.CutPrefix("#"+at, definitions); {
			case other && isDefinition:
				p["$ref"] = "#/components/schemas/" + names.Prefix + name
			case other:
				p["$ref"] = "#/components/schemas/" + names.Whole
			}
		}
		for _, inner := range p {
			b.point(inner, file)
		}
	case []any:
		for _, inner := range p {
			b.point(inner, file)
		}
	}
}

// indented returns JSON for people.
func indented(value any) ([]byte, error) {
	text, err := plain(value)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
