package conf

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

// parameterName matches the names of parameters, which become environment variables
// or lines NAME=VALUE.
var parameterName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// parameters is a table of names and values for an agent. Numbers and true or false
// are written as the agent reads them.
var parameters = codec[map[string]string]{
	decode: func(v value, fail func(value, string)) (map[string]string, bool) {
		keys, ok := v.data.(map[string]value)
		if !ok {
			fail(v, fmt.Sprintf(`must be a table like { device = "/dev/drbd0" }, not %v`, v))
			return nil, false
		}
		var all map[string]string
		for _, name := range slices.Sorted(maps.Keys(keys)) {
			text, good := parameter.decode(keys[name], fail)
			if !parameterName.MatchString(name) {
				fail(keys[name], quoteShort(name)+" cannot be the name of a parameter")
				good = false
			}
			if ok = ok && good; !good {
				continue
			}
			if all == nil {
				all = map[string]string{}
			}
			all[name] = text
		}
		return all, ok
	},
	encode: func(all map[string]string) any {
		if len(all) == 0 {
			return nil
		}
		var shown InlineTable
		for _, name := range slices.Sorted(maps.Keys(all)) {
			shown = append(shown, Pair{name, all[name]})
		}
		return shown
	},
}

// parameter is the value of a parameter.
var parameter = codec[string]{
	decode: func(v value, fail func(value, string)) (string, bool) {
		switch data := v.data.(type) {
		case int64:
			return strconv.FormatInt(data, 10), true
		case bool:
			return strconv.FormatBool(data), true
		}
		return text.decode(v, fail)
	},
	encode: text.encode,
}
