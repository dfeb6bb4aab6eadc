package conf

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mainTable is the routing table of `ip route` (RT_TABLE_MAIN).
const mainTable = 254

// A tableNames is the names of the routing tables that iproute2 knows here.
type tableNames struct {
	number map[string]uint32
	err    error // of the files that are there and could not be read
}

// readTableNames reads iproute2's files. A name in a later directory overrules
// the same name in an earlier one.
func (e *environment) readTableNames() *tableNames {
	n := &tableNames{number: map[string]uint32{"default": 253, "main": mainTable, "local": 255}}
	for _, dir := range []string{"/usr/lib/iproute2", "/usr/share/iproute2", "/etc/iproute2"} {
		more, _ := e.glob(dir + "/rt_tables.d/*.conf")
		for _, path := range append([]string{dir + "/rt_tables"}, more...) {
			text, err := e.readFile(path)
			switch {
			case err == nil:
				maps.Copy(n.number, parseTableNames(string(text)))
			case !errors.Is(err, fs.ErrNotExist):
				n.err = errors.Join(n.err, err)
			}
		}
	}
	return n
}

// tableNames reads the names once for all keys that ask for them.
func (r *reader) tableNames() *tableNames {
	if r.tables == nil {
		r.tables = r.env.readTableNames()
	}
	return r.tables
}

// parseTableNames parses lines with a number and a name. Like iproute2 it skips
// lines that it does not understand.
func parseTableNames(text string) map[string]uint32 {
	names := map[string]uint32{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		if n, err := strconv.ParseUint(words[0], 0, 32); err == nil && n > 0 {
			names[words[1]] = uint32(n)
		}
	}
	return names
}

// egressTables is the first of the routing tables for egress. The others differ
// in the last three bytes.
const egressTables = 0x48000000

// routeTable is the number of a routing table, or its name in the files of
// iproute2.
func routeTable(t *table) codec[uint32] {
	byNumber := integer[uint32](1, 1<<32-1)
	return codec[uint32]{
		decode: func(v value, fail func(value, string)) (uint32, bool) {
			name, isText := v.data.(string)
			if !isText {
				n, ok := byNumber.decode(v, fail)
				if ok && n&^0xffffff == egressTables {
					fail(v, "the tables from 0x48000000 to 0x48ffffff are reserved for egress")
				}
				return n, ok && n&^0xffffff != egressTables
			}
			names := t.in.tableNames()
			n, known := names.number[name]
			if !known {
				message := fmt.Sprintf("%s is not the name of a routing table in /etc/iproute2/rt_tables%s",
					quoteShort(name), suggest(name, slices.Sorted(maps.Keys(names.number))))
				if names.err != nil {
					message += fmt.Sprintf(" (%v)", names.err)
				}
				fail(v, message)
			}
			return n, known
		},
		encode: byNumber.encode,
	}
}
