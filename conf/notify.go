package conf

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// command is a program and its arguments, or a table with these under the key
// command and with user, group, timeout and arguments.
var command = codec[Command]{
	decode: func(v value, fail func(value, string)) (Command, bool) {
		var c Command
		keys, ok := v.data.(map[string]value)
		if !ok {
			c.Argv, ok = words.decode(v, fail)
			return c, ok
		}
		ok = decodeKeys(v, keys, fail, "command", map[string]func(value, func(value, string)) bool{
			"command": into(&c.Argv, words),
			"user":    into(&c.User, account),
			"group":   into(&c.Group, account),
			"timeout": into(&c.Timeout, commandTimeout),
			"arguments": func(v value, fail func(value, string)) bool {
				add, ok := boolean.decode(v, fail)
				c.OwnArguments = ok && !add
				return ok
			},
		})
		if ok && len(c.Argv) == 0 {
			fail(v, "must name a program")
			ok = false
		}
		return c, ok
	},
	encode: func(c Command) any {
		if c.User == "" && c.Group == "" && c.Timeout == 0 && !c.OwnArguments {
			return words.encode(c.Argv)
		}
		table := InlineTable{{"command", words.encode(c.Argv)}}
		if c.User != "" {
			table = append(table, Pair{"user", c.User})
		}
		if c.Group != "" {
			table = append(table, Pair{"group", c.Group})
		}
		if c.Timeout != 0 {
			table = append(table, Pair{"timeout", formatDuration(c.Timeout)})
		}
		if c.OwnArguments {
			table = append(table, Pair{"arguments", false})
		}
		return table
	},
}

// untimedCommand is a command that must not have a timeout, nor say anything about
// the arguments of events.
var untimedCommand = codec[Command]{
	decode: func(v value, fail func(value, string)) (Command, bool) {
		c, ok := command.decode(v, fail)
		if ok && c.Timeout != 0 {
			fail(v, "timeout is not allowed here")
			ok = false
		}
		if ok && c.OwnArguments {
			fail(v, "arguments is not allowed here")
			ok = false
		}
		return c, ok
	},
	encode: command.encode,
}

// into decodes a value into *p.
func into[T any](p *T, c codec[T]) func(value, func(value, string)) bool {
	return func(v value, fail func(value, string)) bool {
		got, ok := c.decode(v, fail)
		*p = got
		return ok
	}
}

// decodeKeys decodes the keys of an inline table. The key needed must be given,
// unless it is "".
func decodeKeys(v value, keys map[string]value, fail func(value, string), needed string, known map[string]func(value, func(value, string)) bool) bool {
	ok := true
	names := slices.Sorted(maps.Keys(known))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		decode := known[key]
		if decode == nil {
			fail(keys[key], unknownKey(key, names))
			ok = false
			continue
		}
		ok = decode(keys[key], fail) && ok
	}
	if _, given := keys[needed]; needed != "" && !given && ok {
		fail(v, fmt.Sprintf("the key %s is required", needed))
		return false
	}
	return ok
}

// account is the name or number of a user or group.
var account = textual("a name", func(s string) (string, error) {
	odd := func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && r != '$' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}
	if s == "" || s[0] == '-' || strings.IndexFunc(s, odd) >= 0 {
		return "", fmt.Errorf("must be the name or number of a user or group, not %s", quoteShort(s))
	}
	return s, nil
}, func(s string) string { return s })

// anyAccount is an account, or "" for none.
var anyAccount = textual("a name", func(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	return account.decodeText(s)
}, func(s string) string { return s })

// words is a program and its arguments: a list, or one string that is split at
// blanks as a shell does. An empty list is no program.
var words = codec[[]string]{decode: decodeWords, encode: listOf(text).encode}

func decodeWords(v value, fail func(value, string)) ([]string, bool) {
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
		fail(v, fmt.Sprintf("must be a command: a string or a list of words, not %v", v))
		return nil, false
	}
	switch {
	case len(words) == 0:
		fail(v, "must name a program; write [] for none")
		return nil, false
	case !strings.HasPrefix(words[0], "/"):
		fail(v, fmt.Sprintf("must begin with the absolute path of the program, not %s", quoteShort(words[0])))
		return nil, false
	}
	return words, true
}

// splitWords splits s at blanks. Quotes protect blanks; a backslash protects the
// next character, but not within single quotes. Nothing is expanded.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	started := false // because '' is a word too
	var quote rune
	escaped := false
	for _, r := range s {
		switch {
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return nil, fmt.Errorf("must not contain the control character %q", r)
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
		return nil, fmt.Errorf("must not end with a backslash")
	case started:
		words = append(words, word.String())
	}
	return words, nil
}

// notifyTimeout is the default timeout. It leaves time for a program that sends
// mail.
const notifyTimeout = 30 * time.Second

var commandTimeout = duration(100*time.Millisecond, time.Hour)

func (n *Notify) visit(t *table) {
	field(t, "master", &n.Master, command, Command{})
	field(t, "backup", &n.Backup, command, Command{})
	field(t, "fault", &n.Fault, command, Command{})
	field(t, "stop", &n.Stop, command, Command{})
	field(t, "any", &n.Any, command, Command{})
	field(t, "deleted", &n.Deleted, command, Command{})
	field(t, "timeout", &n.Timeout, commandTimeout, notifyTimeout)
}

// visitInstance visits [vrrp.notify], which has more keys than [group.notify].
func (n *Notify) visitInstance(t *table) {
	n.visit(t)
	field(t, "rival", &n.Rival, command, Command{})
	field(t, "priority", &n.Priority, command, Command{})
}

// visit visits [service.server.notify], and the keys of [service.notify] that servers
// inherit.
func (n *ServerNotify) visit(t *table, inherited ServerNotify) {
	field(t, "up", &n.Up, override(inherited.Up), inherited.Up)
	field(t, "down", &n.Down, override(inherited.Down), inherited.Down)
	field(t, "timeout", &n.Timeout, commandTimeout, inherited.Timeout)
}

// override is the codec of a command that has an inherited default. It writes no
// command as [].
func override(inherited Command) codec[Command] {
	if inherited.Argv == nil {
		return command
	}
	return codec[Command]{decode: command.decode, encode: func(c Command) any {
		if c.Argv == nil {
			return []any{}
		}
		return command.encode(c)
	}}
}
