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
	once          bool // one sample has them: no form is worth keeping
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

// appendTo appends the labels as the text formats have them, without braces.
func (l *labels) appendTo(b []byte) []byte {
	switch {
	case l == nil || len(l.names) == 0:
		return b
	case l.once:
		return l.format(b)
	case l.text == "":
		begin := len(b)
		b = l.format(b)
		l.text = string(b[begin:])
		return b
	}
	return append(b, l.text...)
}

func (l *labels) format(b []byte) []byte {
	for i, name := range l.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, name...), `="`...)
		value := l.values[i]
		if strings.ContainsAny(value, "\\\n\"") {
			value = escaper.Replace(value)
		}
		b = append(append(b, value...), '"')
	}
	return b
}
