package conf

import (
	"fmt"
	"time"
	"unicode/utf8"
)

// A value is one TOML value with its position.
type value struct {
	file string
	line int
	data any // map[string]value, []value, or a scalar as the TOML library gives it
}

// join adds positions to what the TOML library decoded.
func join(file string, data any, n *node) value {
	v := value{file: file, line: n.line}
	switch data := data.(type) {
	case map[string]any:
		v.data = joinTable(file, data, n)
	case []map[string]any:
		items := make([]value, len(data))
		for i, item := range data {
			items[i] = join(file, item, n.item(i))
		}
		v.data = items
	case []any:
		items := make([]value, len(data))
		for i, item := range data {
			items[i] = join(file, item, n.item(i))
		}
		v.data = items
	default:
		v.data = data
	}
	return v
}

func joinTable(file string, data map[string]any, n *node) map[string]value {
	table := make(map[string]value, len(data))
	for key, item := range data {
		at := n.find(key)
		if at == nil {
			at = n
		}
		table[key] = join(file, item, at)
	}
	return table
}

// item returns the node of element i of the array n.
func (n *node) item(i int) *node {
	if i < len(n.items) {
		return n.items[i]
	}
	return n
}

// String describes v in messages like "must be a number, not a list".
func (v value) String() string {
	switch data := v.data.(type) {
	case string:
		return quoteShort(data)
	case int64:
		return fmt.Sprintf("the number %d", data)
	case float64:
		return fmt.Sprintf("the number %v", data)
	case bool:
		return fmt.Sprint(data)
	case time.Time:
		return "a date"
	case []value:
		return "a list"
	case map[string]value:
		return "a table"
	}
	return fmt.Sprintf("a %T", v.data)
}

// quoteShort quotes s for a message, and shortens it if it is long.
func quoteShort(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) > limit {
		s = string([]rune(s)[:limit]) + "…"
	}
	return fmt.Sprintf("%q", s)
}
