package ipvsadm

import (
	"fmt"
	"strings"

	"holdfast/conf/convert"
)

// A directive is one line: options with their arguments, in the order of the
// line. Options have their long names.
type directive struct {
	at      convert.Position
	options []option
}

type option struct {
	name string
	args []string
}

// arguments is how many arguments each option takes. An option with optional
// takes one if the next word is not an option.
const optional = -1

var arguments = map[string]int{
	"add-service": 0, "edit-service": 0, "delete-service": 0, "clear": 0, "restore": 0, "save": 0, "list": 0, "zero": 0,
	"add-server": 0, "edit-server": 0, "delete-server": 0, "set": 3, "start-daemon": 1, "stop-daemon": 1,
	"tcp-service": 1, "udp-service": 1, "sctp-service": 1, "fwmark-service": 1, "ipv6": 0,
	"scheduler": 1, "pe": 1, "persistent": optional, "netmask": 1, "ops": 0, "sched-flags": 1,
	"real-server": 1, "gatewaying": 0, "ipip": 0, "masquerading": 0, "weight": 1, "u-threshold": 1, "l-threshold": 1,
	"tun-type": 1, "tun-port": 1, "tun-nocsum": 0, "tun-csum": 0, "tun-remcsum": 0,
	"mcast-interface": 1, "syncid": 1, "sync-maxlen": 1, "mcast-group": 1, "mcast-port": 1, "mcast-ttl": 1,
	"numeric": 0, "exact": 0,
}

var shortNames = map[byte]string{
	'A': "add-service", 'E': "edit-service", 'D': "delete-service", 'C': "clear", 'R': "restore", 'S': "save", 'L': "list", 'l': "list", 'Z': "zero",
	'a': "add-server", 'e': "edit-server", 'd': "delete-server",
	't': "tcp-service", 'u': "udp-service", 'f': "fwmark-service", '6': "ipv6",
	's': "scheduler", 'p': "persistent", 'M': "netmask", 'o': "ops", 'b': "sched-flags",
	'r': "real-server", 'g': "gatewaying", 'i': "ipip", 'm': "masquerading", 'w': "weight", 'x': "u-threshold", 'y': "l-threshold",
	'n': "numeric",
}

// parse returns the directives of a file: the output of ipvsadm -Sn, or a script
// of ipvsadm commands. Empty lines and comments are no directives.
func parse(file, text string, report *convert.Report) []directive {
	var all []directive
	line := 0
	for raw := range strings.Lines(text) {
		line++
		at := convert.Position{File: file, Line: line}
		raw, _, _ = strings.Cut(raw, "#")
		words := strings.Fields(raw)
		if len(words) > 0 && (words[0] == "ipvsadm" || strings.HasSuffix(words[0], "/ipvsadm")) {
			words = words[1:]
		}
		if len(words) == 0 {
			continue
		}
		report.Directives++
		options, err := parseOptions(words)
		if err != nil {
			report.Person(at, "%v", err)
			continue
		}
		all = append(all, directive{at, options})
	}
	return all
}

func parseOptions(words []string) ([]option, error) {
	for _, w := range words {
		if strings.ContainsAny(w, "$`'\"\\;|&<>") {
			return nil, fmt.Errorf("%q is for a shell: convert the output of `ipvsadm -Sn` instead", w)
		}
	}
	var all []option
	for len(words) > 0 {
		name, attached, err := optionName(words[0])
		if err != nil {
			return nil, err
		}
		words = words[1:]
		n, known := arguments[name]
		if !known {
			return nil, fmt.Errorf("ipvsadm has no option --%s", name)
		}
		args := attached
		if n == optional {
			n = 0
			if len(args) > 0 || len(words) > 0 && !strings.HasPrefix(words[0], "-") {
				n = 1
			}
		}
		missing := n - len(args)
		if missing < 0 || missing > len(words) {
			return nil, fmt.Errorf("--%s takes %s", name, plural(n, "argument"))
		}
		args = append(args, words[:missing]...)
		words = words[missing:]
		all = append(all, option{name, args})
	}
	return all, nil
}

// optionName returns the long name of an option, and an argument that is
// attached to it: --weight=5 or -w5.
func optionName(word string) (name string, attached []string, err error) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, value, found := strings.Cut(long, "=")
		if found {
			attached = []string{value}
		}
		return name, attached, nil
	}
	if len(word) < 2 || word[0] != '-' {
		return "", nil, fmt.Errorf("%q is not an option of ipvsadm", word)
	}
	name, ok := shortNames[word[1]]
	if !ok {
		return "", nil, fmt.Errorf("ipvsadm has no option %s", word[:2])
	}
	if len(word) > 2 {
		attached = []string{word[2:]}
	}
	return name, attached, nil
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
