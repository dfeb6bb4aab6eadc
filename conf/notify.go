package conf

import (
	"fmt"
	"strings"
	"time"
)

// command is a program and its arguments: a list, or one string that is split
// at blanks like a shell's words. No shell runs it. An empty list is none.
var command = codec[[]string]{decode: decodeCommand, encode: listOf(text).encode}

func decodeCommand(v value, fail func(value, string)) ([]string, bool) {
	var words []string
	switch data := v.data.(type) {
	case string:
		var err error
		if words, err = splitWords(data); err != nil {
			fail(v, err.Error())
			return nil, false
		}
	case []value:
		var ok bool
		if words, ok = listOf(text).decode(v, fail); !ok || len(words) == 0 {
			return nil, ok
		}
	default:
		fail(v, fmt.Sprintf("must be a command, in quotes or as a list of words, not %v", v))
		return nil, false
	}
	switch {
	case len(words) == 0:
		fail(v, "must name a program; write [] for none")
		return nil, false
	case !strings.HasPrefix(words[0], "/"):
		fail(v, fmt.Sprintf("must begin with the program's absolute path, not %s", quoteShort(words[0])))
		return nil, false
	}
	return words, true
}

// splitWords splits s at blanks. Quotes keep blanks together, single quotes
// everything else too, and a backslash takes the next character as it is.
// Nothing is expanded.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false // a word may be empty: ''
	var quote rune
	escaped := false
	for _, r := range s {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return nil, fmt.Errorf("must not hold the control character %q", r)
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, started = true, true
		case r == quote && quote != 0:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '"' || r == '\'':
			quote, started = r, true
		case strings.ContainsRune(" \t\r\n", r):
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(r)
			started = true
		}
	}
	switch {
	case quote != 0:
		return nil, fmt.Errorf("the quote %c is not closed", quote)
	case escaped:
		return nil, fmt.Errorf("nothing follows the last backslash")
	case started:
		words = append(words, word.String())
	}
	return words, nil
}

// notifyTimeout bounds a command that hangs, with room for one that mails.
const notifyTimeout = 30 * time.Second

var commandTimeout = duration(100*time.Millisecond, time.Hour)

func (n *Notify) visit(t *table) {
	field(t, "master", &n.Master, command, nil)
	field(t, "backup", &n.Backup, command, nil)
	field(t, "fault", &n.Fault, command, nil)
	field(t, "stop", &n.Stop, command, nil)
	field(t, "any", &n.Any, command, nil)
	field(t, "timeout", &n.Timeout, commandTimeout, notifyTimeout)
}

// visit walks over the commands of a service or of one server, which inherits
// those of its service.
func (n *ServerNotify) visit(t *table, inherited ServerNotify) {
	field(t, "up", &n.Up, override(inherited.Up), inherited.Up)
	field(t, "down", &n.Down, override(inherited.Down), inherited.Down)
	field(t, "timeout", &n.Timeout, commandTimeout, inherited.Timeout)
}

// override is the codec of a command that would be inherited if nothing were
// written, so that none is written as [].
func override(inherited []string) codec[[]string] {
	if inherited == nil {
		return command
	}
	return codec[[]string]{decode: command.decode, encode: func(words []string) any {
		if words == nil {
			return []any{}
		}
		return command.encode(words)
	}}
}
