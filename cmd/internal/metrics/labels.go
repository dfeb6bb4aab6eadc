package metrics

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Labels are names and values that many samples have in common. The two forms in which
// the formats need them are made once, when they are first asked for.
type labels struct {
	names, values []string
	pairs         []*dto.LabelPair
	text          string
}

// list returns the labels as protobuf has them.
func (l *labels) list() []*dto.LabelPair {
	if l == nil {
		return nil
	}
	if l.pairs == nil {
		memory := make([]dto.LabelPair, len(l.names))
		l.pairs = make([]*dto.LabelPair, len(l.names))
		for i := range l.names {
			memory[i].Name, memory[i].Value = &l.names[i], &l.values[i]
			l.pairs[i] = &memory[i]
		}
	}
	return l.pairs
}

// escaper writes a value as all text formats do.
var escaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// line returns the labels as the text formats have them, without braces.
func (l *labels) line() string {
	if l == nil {
		return ""
	}
	if l.text == "" {
		var b strings.Builder
		b.Grow(l.size())
		for i, name := range l.names {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(name)
			b.WriteString(`="`)
			value := l.values[i]
			if strings.ContainsAny(value, "\\\n\"") {
				value = escaper.Replace(value)
			}
			b.WriteString(value)
			b.WriteByte('"')
		}
		l.text = b.String()
	}
	return l.text
}

// size returns the bytes that line needs without escapes.
func (l *labels) size() (n int) {
	for i := range l.names {
		n += len(l.names[i]) + len(l.values[i]) + len(`="",`)
	}
	return n
}
