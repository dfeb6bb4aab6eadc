package schema

import (
	"bytes"
	"fmt"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// A Strict schema is one that also refuses properties that it does not name. Readers
// of real output must not: a later version may have more.
type Strict struct{ compiled *jsonschema.Schema }

// NewStrict reads the schema in a file.
func NewStrict(path string) (*Strict, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a schema: %w", err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	closed(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("strict.json", document); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	compiled, err := c.Compile("strict.json")
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return &Strict{compiled}, nil
}

// closed makes every object with named properties refuse others.
func closed(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		for _, inner := range s {
			closed(inner)
		}
		if _, ok := s["properties"].(map[string]any); ok && s["type"] == "object" {
			s["additionalProperties"] = false
		}
	case []any:
		for _, inner := range s {
			closed(inner)
		}
	}
}

// Validate returns everything in a document that the schema does not allow.
func (s *Strict) Validate(document []byte) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return fmt.Errorf("read the document: %w", err)
	}
	return s.compiled.Validate(value)
}
