package conf

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node is the position of one TOML value, with the positions of what is inside
// it. The TOML library reports lines for syntax errors only, so the line of a
// wrong value comes from here.
type node struct {
	line  int
	depth int              // of the path from the root
	key   string           // of the table that it is in
	keys  []*node          // of a table
	index map[string]*node // of keys, if there are many
	items []*node          // of an array
}

// fewKeys is how many keys a table has without an index. Nearly all tables are small, and
// there may be ten thousand of them.
const fewKeys = 16

// find returns the node of key in the table n; nil if there is none.
func (n *node) find(key string) *node {
	if n.index != nil {
		return n.index[key]
	}
	for _, c := range n.keys {
		if c.key == key {
			return c
		}
	}
	return nil
}

// child returns the node of key in the table n, and makes it if necessary.
func (n *node) child(key string, line int) *node {
	c := n.find(key)
	if c != nil {
		return c
	}
	c = &node{line: line, depth: n.depth + 1, key: key}
	n.keys = append(n.keys, c)
	switch {
	case n.index != nil:
		n.index[key] = c
	case len(n.keys) > fewKeys:
		n.index = make(map[string]*node, 2*fewKeys)
		for _, c := range n.keys {
			n.index[c.key] = c
		}
	}
	return c
}

// add appends an element to the array n.
func (n *node) add(line int) *node {
	item := &node{line: line, depth: n.depth + 1}
	n.items = append(n.items, item)
	return item
}

// table returns the table that a header or a dotted key means by n: the last
// element of an array of tables, or n itself.
func (n *node) table() *node {
	if len(n.items) > 0 {
		return n.items[len(n.items)-1]
	}
	return n
}

// The bounds of a file. No configuration comes near them, and beyond them the
// TOML library needs minutes and gigabytes.
const (
	maxDepth  = 64      // nested tables, arrays and parts of dotted keys, together
	maxKey    = 256     // bytes of one part of a key
	maxValues = 500_000 // keys and elements of arrays, in one file
)

// An excess is what exceeds one of the bounds, and where.
type excess struct {
	line    int
	message string
}

// locate returns the positions of everything in src, or what exceeds the bounds.
// It does not check the syntax: up to the first error of src it finds what the
// TOML library finds, and after that anything, without panicking.
func locate(src string) (*node, *excess) {
	s := &scanner{src: src, line: 1}
	root := &node{line: 1}
	current := root
	for {
		s.blank("")
		if s.done() {
			return root, s.excess
		}
		before := s.pos
		if s.peek() == '[' {
			current = s.header(root)
		} else {
			s.assignment(current)
		}
		if s.pos == before { // not TOML
			s.advance(1)
		}
	}
}

// directorExcerpt returns the keys of the top level and the table [director], with the
// tables in it. Of a source with a syntax error it returns anything. The lines are others.
func directorExcerpt(src string) string {
	s := &scanner{src: src, line: 1}
	var kept strings.Builder
	keep := true
	for {
		s.blank("")
		if s.done() {
			return kept.String()
		}
		before := s.pos
		if s.peek() == '[' {
			_, path := s.headerKey()
			keep = path[0] == "director"
		} else {
			s.assignment(&node{})
		}
		if s.pos == before { // not TOML
			s.advance(1)
		}
		if keep {
			kept.WriteString(src[before:s.pos] + "\n")
		}
	}
}

// A scanner walks over TOML source and counts lines.
type scanner struct {
	src  string
	pos  int
	line int

	values int     // so far
	excess *excess // the first; then everything counts as read
}

// refuse notes that a bound is exceeded, and ends the walk.
func (s *scanner) refuse(line int, format string, args ...any) {
	if s.excess == nil {
		s.excess = &excess{line, fmt.Sprintf(format, args...)}
	}
	s.pos = len(s.src)
}

// count counts the value at n, and checks the bounds.
func (s *scanner) count(n *node) {
	s.values++
	switch {
	case n.depth > maxDepth:
		s.refuse(n.line, "is nested more than %d levels deep", maxDepth)
	case s.values > maxValues:
		s.refuse(n.line, "has more than %d keys and values", maxValues)
	}
}

func (s *scanner) done() bool { return s.pos >= len(s.src) }

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.src[s.pos]
}

// advance moves over n bytes, or to the end.
func (s *scanner) advance(n int) {
	end := min(s.pos+n, len(s.src))
	s.line += strings.Count(s.src[s.pos:end], "\n")
	s.pos = end
}

// accept moves over prefix if it is next.
func (s *scanner) accept(prefix string) bool {
	if !strings.HasPrefix(s.src[s.pos:], prefix) {
		return false
	}
	s.advance(len(prefix))
	return true
}

// until moves to the next byte that is one of stop, or to the end.
func (s *scanner) until(stop string) string {
	rest := s.src[s.pos:]
	if i := strings.IndexAny(rest, stop); i >= 0 {
		rest = rest[:i]
	}
	s.advance(len(rest))
	return rest
}

// space moves over blanks within a line.
func (s *scanner) space() {
	for !s.done() && strings.IndexByte(" \t", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

// blank moves over white space, line ends, comments and the bytes in also.
func (s *scanner) blank(also string) {
	for !s.done() {
		switch c := s.src[s.pos]; {
		case c == '#':
			s.until("\n")
		case strings.IndexByte(" \t\r\n", c) >= 0, strings.IndexByte(also, c) >= 0:
			s.advance(1)
		default:
			return
		}
	}
}

// headerKey reads [a.b] or [[a.b]], and reports whether it is the header of an array.
func (s *scanner) headerKey() (array bool, path []string) {
	brackets := "]"
	if array = s.accept("[["); array {
		brackets = "]]"
	} else {
		s.accept("[")
	}
	path = s.key()
	s.space()
	s.accept(brackets)
	return array, path
}

// header reads [a.b] or [[a.b]] and returns the table that it opens.
func (s *scanner) header(root *node) *node {
	line := s.line
	array, path := s.headerKey()
	n := root
	for _, key := range path[:len(path)-1] {
		n = n.child(key, line).table()
	}
	n = n.child(path[len(path)-1], line)
	s.count(n)
	if array {
		item := n.add(line)
		s.count(item)
		return item
	}
	n.line = line // not the line of a sub-table that came first
	return n
}

// assignment reads key = value into the table n.
func (s *scanner) assignment(n *node) {
	line := s.line
	for _, key := range s.key() {
		n = n.child(key, line)
	}
	s.count(n)
	s.space()
	if s.accept("=") {
		s.value(n)
	}
}

// key reads a key, dotted or not: one part at least.
func (s *scanner) key() []string {
	var path []string
	for {
		s.space()
		part := s.keyPart()
		if path = append(path, part); len(path) > maxDepth {
			s.refuse(s.line, "the key has more than %d parts", maxDepth)
		}
		if len(part) > maxKey {
			s.refuse(s.line, "the key %s is longer than %d characters", quoteShort(part), maxKey)
		}
		s.space()
		if !s.accept(".") {
			return path
		}
	}
}

func (s *scanner) keyPart() string {
	switch s.peek() {
	case '"':
		return unescape(s.basic())
	case '\'':
		return s.literal()
	}
	return s.until(" \t\r\n.=[]{},#\"'")
}

// value reads the value at n.
func (s *scanner) value(n *node) {
	s.space()
	switch s.peek() {
	case '[':
		s.array(n)
	case '{':
		s.inlineTable(n)
	case '"':
		s.basic()
	case '\'':
		s.literal()
	default:
		s.until(",]}#\n")
	}
}

func (s *scanner) array(n *node) {
	s.advance(1)
	for {
		s.blank(",")
		if s.done() || s.accept("]") {
			return
		}
		before := s.pos
		item := n.add(s.line)
		s.count(item)
		s.value(item)
		if s.pos == before { // not TOML
			s.advance(1)
		}
	}
}

func (s *scanner) inlineTable(n *node) {
	s.advance(1)
	for {
		s.blank(",")
		if s.done() || s.accept("}") {
			return
		}
		before := s.pos
		s.assignment(n)
		if s.pos == before { // not TOML
			s.advance(1)
		}
	}
}

// basic reads a string in double quotes, on one line or several, and returns
// its raw content.
func (s *scanner) basic() string {
	if s.accept(`"""`) {
		return s.multiline('"')
	}
	s.advance(1)
	start := s.pos
	for !s.done() {
		switch s.src[s.pos] {
		case '"':
			text := s.src[start:s.pos]
			s.advance(1)
			return text
		case '\\':
			s.advance(2)
		default:
			s.until(`"\`)
		}
	}
	return s.src[start:]
}

// literal reads a string in single quotes.
func (s *scanner) literal() string {
	if s.accept(`'''`) {
		return s.multiline('\'')
	}
	s.advance(1)
	text := s.until("'")
	s.advance(1)
	return text
}

// multiline reads to the three closing quotes. Up to two more quotes before
// them belong to the text.
func (s *scanner) multiline(quote byte) string {
	start := s.pos
	for !s.done() {
		switch {
		case s.src[s.pos] == '\\' && quote == '"':
			s.advance(2)
		case s.accept(strings.Repeat(string(quote), 3)):
			for range 2 {
				s.accept(string(quote))
			}
			return s.src[start : s.pos-3]
		default:
			s.advance(1)
		}
	}
	return s.src[start:]
}

// unescape replaces the escapes of a basic string. A malformed one stays as it
// is: the TOML library refuses it.
func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	simple := map[byte]rune{
		'b': '\b', 't': '\t', 'n': '\n', 'f': '\f', 'r': '\r', 'e': '\x1b', '"': '"', '\\': '\\',
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		escape := text[i+1]
		if r, ok := simple[escape]; ok {
			b.WriteRune(r)
			i++
			continue
		}
		width := digits[escape]
		if width > 0 && i+2+width <= len(text) {
			code, err := strconv.ParseUint(text[i+2:i+2+width], 16, 32)
			if err == nil && code <= utf8.MaxRune {
				b.WriteRune(rune(code))
				i += 1 + width
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
