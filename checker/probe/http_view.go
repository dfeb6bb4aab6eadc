package probe

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"regexp"
)

// A view is everything that looks at the content of one body.
type view struct {
	body, not *search // nil: any
	json      *jsonSearch
	wants     []namedPattern // of the first values of json
	weight    *jsonValue     // nil: not wanted
}

func (e *expectation) newView() *view {
	v := &view{wants: e.json}
	if e.body != nil {
		v.body = &search{pattern: e.body}
	}
	if e.not != nil {
		v.not = &search{pattern: e.not}
	}
	if len(e.json) == 0 && e.weightJSON == "" {
		return v
	}
	v.json = new(jsonSearch)
	for _, want := range e.json {
		v.json.add(want.name)
	}
	if e.weightJSON != "" {
		v.weight = v.json.add(e.weightJSON)
	}
	return v
}

// see lets everything look at the content of a body, of which at most most bytes count.
func (v *view) see(answer *http.Response, raw io.Reader, most int) (content, error) {
	var viewers []viewer
	for _, s := range []*search{v.body, v.not} {
		if s != nil {
			viewers = append(viewers, s)
		}
	}
	if v.json != nil {
		viewers = append(viewers, v.json)
	}
	if len(viewers) == 0 {
		return content{}, nil
	}
	r, err := decoded(answer, raw)
	if err != nil {
		return content{}, err
	}
	return show(&cutter{r: r, left: &most}, viewers)
}

// verdict returns what is wrong with the content.
func (v *view) verdict(c content) error {
	if v.body != nil && !v.body.found {
		return fmt.Errorf("body %v does not match %q%s", &c, v.body.pattern, c.place())
	}
	if v.not != nil && v.not.found {
		return fmt.Errorf("body %v matches %q, which it must not", &c, v.not.pattern)
	}
	if len(v.wants) == 0 {
		return nil
	}
	if err := v.json.err; err != nil && !c.cut {
		return fmt.Errorf("body %v is not JSON: %w", &c, err)
	}
	for i, want := range v.wants {
		switch value := v.json.values[i]; {
		case !value.found:
			return fmt.Errorf("JSON value %s is missing%s, want one that matches %q", want.name, c.place(), want.pattern)
		case value.container != "":
			return fmt.Errorf("JSON value %s is %s, want a text or number that matches %q", want.name, value.container, want.pattern)
		case !want.pattern.MatchString(value.text):
			return fmt.Errorf("JSON value %s is %s, which does not match %q", want.name, excerpt([]byte(value.text)), want.pattern)
		}
	}
	return nil
}

// A search looks for a regular expression.
type search struct {
	pattern *regexp.Regexp
	found   bool
}

func (s *search) whole(b []byte)     { s.found = s.pattern.Match(b) }
func (s *search) stream(r io.Reader) { s.found = s.pattern.MatchReader(bufio.NewReader(r)) }
