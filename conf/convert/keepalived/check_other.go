package keepalived

import (
	"fmt"
	"strconv"
	"strings"
)

func (c *converter) readSMTP(k *check, _ *realServer, d *directive) {
	if h := last(d.body, "helo_name"); h != nil {
		k.set(h.at, "hello", h.arg(1))
	}
}

func (c *converter) readDNS(k *check, _ *realServer, d *directive) {
	if n := last(d.body, "name"); n != nil {
		k.set(n.at, "name", n.arg(1))
	}
	if t := last(d.body, "type"); t != nil {
		k.set(t.at, "record", t.arg(1))
	}
}

// readMisc reads MISC_CHECK: a program of its own convention.
func (c *converter) readMisc(k *check, _ *realServer, d *directive) {
	dynamic, user := last(d.body, "misc_dynamic"), last(d.body, "user")
	last(d.body, "misc_timeout")
	path := last(d.body, "misc_path")
	if path == nil {
		c.report.Person(d.at, "MISC_CHECK has no misc_path: keepalived does not check the server with it")
		return
	}
	p := c.program(path)
	if p == nil {
		return
	}
	if user != nil {
		p.user, p.group = user.arg(1), user.arg(2)
	}
	c.scripts = append(c.scripts, p)
	k.set(path.at, "command", p.value(false))
	k.set(d.at, "style", "misc")
	if dynamic != nil {
		k.set(dynamic.at, "weight", "exit")
	}
}

func (c *converter) readFile(k *check, _ *realServer, d *directive) {
	w := last(d.body, "weight")
	name := last(d.body, "track_file")
	if name == nil {
		c.report.Person(d.at, "FILE_CHECK has no track_file: keepalived does not check the server with it")
		return
	}
	file := c.trackers.defined["file"][name.arg(1)]
	if file == nil {
		c.report.Person(name.at, "nothing defines the track_file %s", name.arg(1))
		return
	}
	c.checkedFiles[name.arg(1)] = true
	path := last(file.body, "file")
	k.set(name.at, "file", argOf(path))
	own := c.defaultWeight("file", file)
	if w != nil {
		if given, ok := readWeight(w.args[1:], -1<<31+1, 1<<31-1); ok {
			own = given
		} else {
			c.report.Person(w.at, "weight: keepalived ignores %q", strings.Join(w.args[1:], " "))
		}
	}
	if own.n != 0 {
		k.set(d.at, "weight", own.n)
	}
	if own.reverse {
		k.set(d.at, "reverse", true)
	}
}

func (c *converter) readBFDCheck(k *check, _ *realServer, d *directive) {
	name := last(d.body, "name")
	if name == nil || c.trackers.defined["bfd"][name.arg(1)] == nil {
		c.report.Person(d.at, "BFD_CHECK names no bfd_instance that is there: keepalived does not check the server with it")
		return
	}
	k.set(name.at, "bfd", c.bfdName(name.arg(1)))
}

// readUDP reads UDP_CHECK. Without require_reply silence is well.
func (c *converter) readUDP(k *check, _ *realServer, d *directive) {
	if p := last(d.body, "payload"); p != nil {
		if bytes, ok := hexBytes(p.args[1:]); ok {
			k.set(p.at, "send_hex", spaced(bytes))
		} else {
			c.report.Person(p.at, "payload: these are not hexadecimal digits")
		}
	} else {
		c.report.Note(d.at, "UDP_CHECK without payload sends random bytes in keepalived, and an empty datagram in holdfast")
	}
	low, high := c.replyLength(d, "min_reply_length", 0), c.replyLength(d, "max_reply_length", 255)
	reply := last(d.body, "require_reply")
	if reply == nil {
		k.set(d.at, "silence_ok", true)
		return
	}
	pattern, ok := replyPattern(reply.args[1:], low, high)
	if !ok {
		c.report.Person(reply.at, "require_reply: bytes from 80 on and half bytes cannot be part of an expression: write another expect")
		return
	}
	if pattern != "" {
		k.set(reply.at, "expect", pattern)
	}
}

func (c *converter) replyLength(d *directive, word string, otherwise int) int {
	k := last(d.body, word)
	if k == nil {
		return otherwise
	}
	n, ok := number(k.arg(1), 0, 65535)
	if !ok {
		c.report.Person(k.at, "%s: keepalived ignores %q", word, k.arg(1))
		return otherwise
	}
	return n
}

// hexPairs splits words into pairs of digits. A digit alone at the end of a word is a
// byte.
func hexPairs(words []string) []string {
	var pairs []string
	for _, w := range words {
		for ; len(w) > 1; w = w[2:] {
			pairs = append(pairs, w[:2])
		}
		if w != "" {
			pairs = append(pairs, "0"+w)
		}
	}
	return pairs
}

func hexBytes(words []string) ([]byte, bool) {
	var bytes []byte
	for _, pair := range hexPairs(words) {
		n, err := strconv.ParseUint(pair, 16, 8)
		if err != nil {
			return nil, false
		}
		bytes = append(bytes, byte(n))
	}
	return bytes, len(bytes) > 0
}

func spaced(bytes []byte) string {
	var b strings.Builder
	for i, x := range bytes {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%02x", x)
	}
	return b.String()
}

// replyPattern returns an expression for a reply that begins with these bytes, of
// which xx is any, and has a length within the bounds.
func replyPattern(words []string, low, high int) (string, bool) {
	var b strings.Builder
	pairs := hexPairs(words)
	for _, pair := range pairs {
		if strings.EqualFold(pair, "xx") {
			b.WriteByte('.')
			continue
		}
		n, err := strconv.ParseUint(pair, 16, 8)
		if err != nil || n >= 0x80 {
			return "", false
		}
		fmt.Fprintf(&b, `\x%02x`, n)
	}
	if low <= len(pairs) && high >= 255 {
		if len(pairs) == 0 {
			return "", true
		}
		return "(?s)^" + b.String(), true
	}
	return fmt.Sprintf("(?s)^%s.{%d,%d}$", b.String(), max(0, low-len(pairs)), min(1000, max(0, high-len(pairs)))), true
}
