package conf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// mainTable is the routing table of `ip route` (RT_TABLE_MAIN).
const mainTable = 254

// tableNames are the names of routing tables that iproute2 knows here. Later
// directories overrule earlier ones, and a table's first name stays.
func (e *environment) tableNames() map[string]uint32 {
	names := map[string]uint32{"default": 253, "main": mainTable, "local": 255}
	for _, dir := range []string{"/usr/lib/iproute2", "/usr/share/iproute2", "/etc/iproute2"} {
		more, _ := e.glob(dir + "/rt_tables.d/*.conf")
		for _, path := range append([]string{dir + "/rt_tables"}, more...) {
			if text, err := e.readFile(path); err == nil {
				maps.Copy(names, parseTableNames(string(text)))
			}
		}
	}
	return names
}

// parseTableNames reads lines of a number and a name. What it does not
// understand it passes over, as iproute2 does.
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

// egressTables and those that differ in the last three bytes hold the routes of
// devices with egress.
const egressTables = 0x48000000

// routeTable is a routing table: its number, or its name in iproute2's files.
func routeTable(t *table) codec[uint32] {
	byNumber := integer[uint32](1, 1<<32-1)
	return codec[uint32]{
		decode: func(v value, fail func(value, string)) (uint32, bool) {
			name, isText := v.data.(string)
			if !isText {
				n, ok := byNumber.decode(v, fail)
				if ok && n&^0xffffff == egressTables {
					fail(v, "the tables from 0x48000000 to 0x48ffffff are those of egress")
				}
				return n, ok && n&^0xffffff != egressTables
			}
			names := t.in.env.tableNames()
			n, known := names[name]
			if !known {
				fail(v, fmt.Sprintf("%s is not the name of a routing table in /etc/iproute2/rt_tables%s", quoteShort(name), suggest(name, slices.Sorted(maps.Keys(names)))))
			}
			return n, known
		},
		encode: byNumber.encode,
	}
}
