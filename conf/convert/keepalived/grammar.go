package keepalived

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// A fate is what becomes of a word of keepalived.
type fate byte

// The fates, as the tables of words write them.
const (
	translated fate = '=' // a key or table of holdfast does the same
	needless   fate = '~' // holdfast does it anyway, or needs nothing of the kind: a note
	byHand     fate = '!' // a person must do something
)

// A shape is what follows a word.
type shape byte

const (
	leaf   shape = iota // arguments on the line
	values              // a block of lines that are no words: word { ... }
	block               // a block of words
)

// A word is one that keepalived knows in one kind of block.
type word struct {
	name  string
	shape shape
	fate  fate
	// text says what becomes of it, for the documentation. With the fates needless
	// and byHand it is the message of the report.
	text string
	sub  *words // of a block
}

// words are the words of one kind of block, in the order of the documentation.
type words struct {
	path string // "virtual_server.real_server"; "" is the top level
	list []*word
	by   map[string]*word
}

// grammar is all words. Blocks with equal words inside are named once, as
// "TCP_CHECK,SMTP_CHECK".
var grammar = sync.OnceValue(func() *words {
	all := map[string]*words{}
	for _, text := range []string{topWords, globalWords, staticWords, instanceWords, groupWords, trackWords, serverWords, checkWords, bfdWords} {
		parseWords(text, all)
	}
	for path, w := range all {
		if path == "" {
			continue
		}
		parent, name := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			parent, name = path[:i], path[i+1:]
		}
		if all[parent] == nil || all[parent].by[name] == nil {
			panic("no word for the block " + path)
		}
		all[parent].by[name].sub = w
	}
	pool, server := all["virtual_server"].by["backup_real_server"], all["virtual_server"].by["real_server"]
	pool.sub = server.sub
	return all[""]
})

// parseWords parses a table: "[path,path]" begins blocks, and each other line is
// "word | fate | text", where the word of a block of values ends with {} and that of
// a block of words with {.
func parseWords(table string, all map[string]*words) {
	var current []*words
	for line := range strings.Lines(table) {
		line = strings.TrimSpace(line)
		if header, ok := strings.CutPrefix(line, "["); ok {
			current = nil
			for path := range strings.SplitSeq(strings.TrimSuffix(header, "]"), ",") {
				if all[path] == nil {
					all[path] = &words{path: path, by: map[string]*word{}}
				}
				current = append(current, all[path])
			}
			continue
		}
		parts := strings.SplitN(line, " | ", 3)
		if line == "" {
			continue
		}
		if len(parts) != 3 || len(parts[1]) != 1 {
			panic("not a word: " + line)
		}
		for name := range strings.SplitSeq(parts[0], ",") {
			w := word{fate: fate(parts[1][0]), text: parts[2]}
			w.name, w.shape = shapeOf(name)
			for _, c := range current {
				if c.by[w.name] != nil {
					panic("two words " + w.name + " in " + c.path)
				}
				one := w
				c.list, c.by[w.name] = append(c.list, &one), &one
			}
		}
	}
}

func shapeOf(name string) (string, shape) {
	if bare, ok := strings.CutSuffix(name, "{}"); ok {
		return bare, values
	}
	if bare, ok := strings.CutSuffix(name, "{"); ok {
		return bare, block
	}
	return name, leaf
}

// oldNames are names that keepalived or a fork of it once had, and common slips, with
// what they were meant to be.
var oldNames = map[string]string{
	"lvs_id":                     "router_id",
	"lvs_sync_daemon_inteface":   "lvs_sync_daemon_interface, which is misspelt here",
	"connetc_port":               "connect_port, which is misspelt here",
	"smtp_connection_timeout":    "smtp_connect_timeout",
	"vrrp_unicast_peer":          "unicast_peer",
	"vrrp_unicast_bind":          "unicast_src_ip",
	"unicast_src":                "unicast_src_ip",
	"nat_mask":                   "nothing any more: IPVS has no such mask",
	"vrrp_mcast_group":           "vrrp_mcast_group4",
	"garp_delay":                 "garp_master_delay",
	"vrrp_garp_delay":            "vrrp_garp_master_delay",
	"notify_emails":              "notification_email",
	"virtual_ipaddresses":        "virtual_ipaddress",
	"virtualipaddress":           "virtual_ipaddress",
	"real_servers":               "real_server",
	"check_interval":             "delay_loop",
	"scheduler":                  "lvs_sched",
	"sorry_servers":              "sorry_server",
	"track_scripts":              "track_script",
	"vrrp_scripts":               "vrrp_script",
	"lvs_sync_daemon_interfaces": "lvs_sync_daemon_interface",
}

// meant returns what an unknown word in a block was probably meant to be, as a
// sentence, or "".
func (w *words) meant(name string) string {
	if old, ok := oldNames[name]; ok {
		return "it was probably meant to be " + old
	}
	for _, before := range []string{"vrrp_", "lvs_"} {
		if w.by[before+name] != nil {
			return "it was probably meant to be " + before + name
		}
	}
	if at := placesOf(name); len(at) > 0 {
		return fmt.Sprintf("it belongs into %s, so probably a brace is missing or too many", strings.Join(at, ", "))
	}
	best, distance := "", 3
	for _, k := range w.list {
		if d := editDistance(name, k.name, distance); d < distance && len(name) > 3 {
			best, distance = k.name, d
		}
	}
	if best != "" {
		return "it was probably meant to be " + best
	}
	return ""
}

// placesOf returns the kinds of blocks that have a word.
func placesOf(name string) []string {
	var at []string
	var walk func(w *words)
	walk = func(w *words) {
		if w.by[name] != nil && len(at) < 4 {
			where := w.path
			if where == "" {
				where = "the top level"
			}
			if !slices.Contains(at, where) {
				at = append(at, where)
			}
		}
		for _, k := range w.list {
			if k.sub != nil {
				walk(k.sub)
			}
		}
	}
	walk(grammar())
	return at
}

// editDistance returns how many letters must be added, removed or replaced to make b
// of a, or limit if that are as many or more.
func editDistance(a, b string, limit int) int {
	if len(a) > 64 || len(b)-len(a) >= limit || len(a)-len(b) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return min(row[len(b)], limit)
}
