package conf

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// A codec turns a TOML value into a T and back. decode reports every error by
// fail, with the value that it stands at, and returns false if there was one.
// encode returns a string, int64, bool, []any or InlineTable, or nil for a value
// that is not written.
type codec[T any] struct {
	decode func(v value, fail func(at value, message string)) (T, bool)
	encode func(T) any
}

// simple makes a codec from a decoder that reports one error at most.
func simple[T any](decode func(v value) (T, error), encode func(T) any) codec[T] {
	return codec[T]{
		decode: func(v value, fail func(value, string)) (T, bool) {
			got, err := decode(v)
			if err != nil {
				fail(v, err.Error())
			}
			return got, err == nil
		},
		encode: encode,
	}
}

// textual makes a codec for a type that is written as a string. what describes
// the string in messages: "an address".
func textual[T any](what string, parse func(string) (T, error), format func(T) string) codec[T] {
	return simple(func(v value) (T, error) {
		s, ok := v.data.(string)
		if !ok {
			var zero T
			return zero, fmt.Errorf("must be %s in quotes, not %v", what, v)
		}
		// A string of the decoder is a part of the text of its file, and keeps all of it.
		return parse(strings.Clone(s))
	}, func(x T) any { return format(x) })
}

// optional makes a codec that does not write the zero value.
func optional[T comparable](c codec[T]) codec[T] {
	return codec[T]{decode: c.decode, encode: func(x T) any {
		var zero T
		if x == zero {
			return nil
		}
		return c.encode(x)
	}}
}

// text is a string without control characters.
var text = textual("text", func(s string) (string, error) {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return "", fmt.Errorf("must not contain the control character %q", r)
		}
	}
	return s, nil
}, func(s string) string { return s })

// absolutePath is the path of a file or directory.
var absolutePath = textual("an absolute path", func(s string) (string, error) {
	if !strings.HasPrefix(s, "/") || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("must be an absolute path, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// boolean is true or false.
var boolean = simple(func(v value) (bool, error) {
	b, ok := v.data.(bool)
	if !ok {
		return false, fmt.Errorf("must be true or false, not %v", v)
	}
	return b, nil
}, func(b bool) any { return b })

// integer is a whole number from low to high.
func integer[T ~int | ~uint8 | ~uint16 | ~uint32](low, high int64) codec[T] {
	return simple(func(v value) (T, error) {
		n, ok := v.data.(int64)
		if !ok || n < low || n > high {
			span := fmt.Sprintf("a whole number from %d to %d", low, high)
			if high == low+1 {
				span = fmt.Sprintf("%d or %d", low, high)
			}
			return 0, fmt.Errorf("must be %s, not %v", span, unnamed(v))
		}
		return T(n), nil
	}, func(n T) any { return int64(n) })
}

// unnamed describes v in a message that already says "number".
func unnamed(v value) string {
	return strings.TrimPrefix(v.String(), "the number ")
}

// duration is a duration from low to high in the notation of Go.
func duration(low, high time.Duration) codec[time.Duration] {
	return simple(func(v value) (time.Duration, error) {
		s, ok := v.data.(string)
		if !ok {
			return 0, fmt.Errorf(`must be a duration in quotes, like "2s" or "500ms", not %v`, v)
		}
		d, err := time.ParseDuration(s)
		switch {
		case err != nil:
			return 0, fmt.Errorf(`must be a duration like "2s" or "500ms", not %s`, quoteShort(s))
		case d < low || d > high:
			return 0, fmt.Errorf("must be from %s to %s, not %s", formatDuration(low), formatDuration(high), formatDuration(d))
		}
		return d, nil
	}, func(d time.Duration) any { return formatDuration(d) })
}

// wholeSeconds makes a codec that accepts whole seconds only, because the kernel
// counts in seconds.
func wholeSeconds(c codec[time.Duration]) codec[time.Duration] {
	return codec[time.Duration]{decode: func(v value, fail func(value, string)) (time.Duration, bool) {
		d, ok := c.decode(v, fail)
		if ok && d%time.Second != 0 {
			fail(v, "must be whole seconds, not "+formatDuration(d))
			return 0, false
		}
		return d, ok
	}, encode: c.encode}
}

// formatDuration is Duration.String without trailing zero units: "5m", not
// "5m0s".
func formatDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// An option is one word of a choice.
type option[T any] struct {
	word  string
	value T
}

// choice is a codec for one of a few words.
func choice[T comparable](options ...option[T]) codec[T] {
	words := make([]string, len(options))
	for i, o := range options {
		words[i] = o.word
	}
	return textual("one of "+orList(words), func(s string) (T, error) {
		for _, o := range options {
			if o.word == s {
				return o.value, nil
			}
		}
		var zero T
		return zero, fmt.Errorf("must be %s, not %s", orList(words), quoteShort(s))
	}, func(x T) string {
		for _, o := range options {
			if o.value == x {
				return o.word
			}
		}
		return fmt.Sprint(x)
	})
}

// wordOf is a codec for one of a few words that stand for themselves.
func wordOf(list []string) codec[string] {
	options := make([]option[string], len(list))
	for i, word := range list {
		options[i] = option[string]{word, word}
	}
	return choice(options...)
}

// orList writes words as "a, b or c", each quoted.
func orList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	last := len(quoted) - 1
	return strings.Join(quoted[:last], ", ") + " or " + quoted[last]
}

// listOf is an array. An empty array is nil. Errors are reported at the element.
func listOf[T any](c codec[T]) codec[[]T] {
	return codec[[]T]{
		decode: func(v value, fail func(value, string)) ([]T, bool) {
			items, ok := v.data.([]value)
			if !ok {
				fail(v, fmt.Sprintf("must be a list in brackets, not %v", v))
				return nil, false
			}
			var got []T
			for _, item := range items {
				x, good := c.decode(item, fail)
				ok = ok && good
				got = append(got, x)
			}
			return got, ok
		},
		encode: func(xs []T) any {
			if len(xs) == 0 {
				return nil
			}
			items := make([]any, len(xs))
			for i, x := range xs {
				items[i] = c.encode(x)
			}
			return items
		},
	}
}

// conditionsOf is a list of texts and of lists of texts: one element is to be so, and a
// list is so if all of it is. A text is a list of one.
func conditionsOf(c codec[string]) codec[[][]string] {
	list := listOf(c)
	return listOf(codec[[]string]{
		decode: func(v value, fail func(value, string)) ([]string, bool) {
			if items, isList := v.data.([]value); isList {
				if len(items) == 0 {
					fail(v, "must not be empty")
					return nil, false
				}
				return list.decode(v, fail)
			}
			text, ok := c.decode(v, fail)
			return []string{text}, ok
		},
		encode: func(texts []string) any {
			if len(texts) == 1 {
				return c.encode(texts[0])
			}
			return list.encode(texts)
		},
	})
}

// written makes a codec that writes an empty list, for a key in which an empty
// list differs from a missing key.
func written[T any](c codec[[]T]) codec[[]T] {
	return codec[[]T]{decode: c.decode, encode: func(xs []T) any {
		if len(xs) == 0 {
			return []any{}
		}
		return c.encode(xs)
	}}
}

// parseAddress parses an IPv4 or IPv6 address without a zone.
func parseAddress(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%s is not an IP address", quoteShort(s))
	}
	return plainAddress(a)
}

// plainAddress refuses addresses with a zone and IPv4 addresses in IPv6 form.
func plainAddress(a netip.Addr) (netip.Addr, error) {
	switch {
	case a.Zone() != "":
		return netip.Addr{}, fmt.Errorf("%q: a zone (%%interface) is not allowed here", a)
	case a.Is4In6():
		return netip.Addr{}, fmt.Errorf("%q: write it as the IPv4 address %v", a, a.Unmap())
	}
	return a, nil
}

// parseAddressPort parses an address with a port: "10.0.0.1:80" or
// "[2001:db8::1]:80".
func parseAddressPort(s string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(s)
	if err == nil {
		_, err := plainAddress(ap.Addr())
		return ap, err
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPort{}, fmt.Errorf("%s has no port: write %q", quoteShort(s), netip.AddrPortFrom(a, 80))
	}
	return netip.AddrPort{}, fmt.Errorf(`%s is not an address with a port, like "10.0.0.1:80" or "[2001:db8::1]:80"`, quoteShort(s))
}
