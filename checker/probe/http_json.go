package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxNesting is how deep the values of a JSON body may lie in others.
const maxNesting = 100

// A jsonSearch looks for values in JSON as it comes.
type jsonSearch struct {
	values []*jsonValue
	err    error // why the JSON could not be read to its end
}

// A jsonValue is the value at one path.
type jsonValue struct {
	path      []string
	found     bool
	text      string // of a string, number, boolean or null
	container string // "an object" or "an array"; "": text is the value
}

// add looks for the value at a path. The path is a JSON pointer (RFC 6901) if it begins
// with a slash. Otherwise it has names of fields and numbers of elements with dots
// between them.
func (s *jsonSearch) add(path string) *jsonValue {
	v := new(jsonValue)
	if pointer, ok := strings.CutPrefix(path, "/"); ok {
		for part := range strings.SplitSeq(pointer, "/") {
			v.path = append(v.path, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
		}
	} else {
		v.path = strings.Split(path, ".")
	}
	s.values = append(s.values, v)
	return v
}

func (s *jsonSearch) whole(b []byte) { s.stream(bytes.NewReader(b)) }

func (s *jsonSearch) stream(r io.Reader) {
	d := json.NewDecoder(r)
	d.UseNumber()
	s.err = s.walk(d, nil)
	if errors.Is(s.err, io.EOF) || errors.Is(s.err, io.ErrUnexpectedEOF) {
		s.err = errors.New("it ends too early")
	} else if s.err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			s.err = errors.New("something follows the value")
		}
	}
}

// walk reads the value at a path with all that lies in it.
func (s *jsonSearch) walk(d *json.Decoder, path []string) error {
	if len(path) > maxNesting {
		return fmt.Errorf("values are nested more than %d deep", maxNesting)
	}
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('{'):
		s.note(path, "", "an object")
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return err
			}
			if err := s.walk(d, append(path, key.(string))); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case json.Delim('['):
		s.note(path, "", "an array")
		for i := 0; d.More(); i++ {
			if err := s.walk(d, append(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
		_, err = d.Token()
	case nil:
		s.note(path, "null", "")
	default:
		s.note(path, fmt.Sprint(token), "")
	}
	return err
}

// note notes the value at a path, if somebody looks for it.
func (s *jsonSearch) note(path []string, text, container string) {
	for _, v := range s.values {
		if slices.Equal(v.path, path) {
			v.found, v.text, v.container = true, text, container
		}
	}
}
