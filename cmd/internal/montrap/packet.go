package montrap

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// MaxSize is the size of the largest packet that UDP carries over IPv4, in bytes.
const MaxSize = 65507

// oldest is the version of the protocol below which mon refuses traps.
const oldest = 0.3807

// maxName is the length of the longest name of a user, a group or a service, in bytes. Each
// is shown in the log and in the status.
const maxName = 255

// A Trap is what a packet says.
type Trap struct {
	User, Password string
	Group, Service string
	Status         int    // of exit(3); 0: all are well
	Output         string // what a monitor would have printed
}

// Parse reads a packet: lines of a tag, an equals sign and a value in single quotes.
// A value has bytes as \xx in hexadecimal digits, and a backslash as two of them. Lines
// and tags that are not known are left out, as mon does.
func Parse(packet []byte) (*Trap, error) {
	tags := map[string]string{}
	for line := range strings.SplitSeq(string(packet), "\n") {
		if tag, value, ok := strings.Cut(line, "="); ok && isTag(tag) {
			tags[tag] = unescape(unquote(value))
		}
	}
	version, err := strconv.ParseFloat(tags["pro"], 64)
	if err != nil || version < oldest || version != version {
		return nil, fmt.Errorf("the version of the protocol is %.20q; mon has 0.3807", tags["pro"])
	}
	status, err := strconv.Atoi(tags["sta"])
	if err != nil || status < 0 || status > 255 {
		return nil, fmt.Errorf("the status is %.20q, not a number from 0 to 255", tags["sta"])
	}
	if tags["grp"] == "" || tags["svc"] == "" {
		return nil, errors.New("it names no group, or no service")
	}
	for _, tag := range []string{"usr", "grp", "svc"} {
		if len(tags[tag]) > maxName {
			return nil, fmt.Errorf("the name in %q has more than %d bytes", tag, maxName)
		}
	}
	return &Trap{
		User: tags["usr"], Password: tags["pas"], Group: tags["grp"], Service: tags["svc"], Status: status,
		Output: strings.ReplaceAll(endLine(tags["sum"])+"\n"+tags["dtl"], "\x00", ""),
	}, nil
}

func isTag(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func unquote(value string) string {
	if len(value) >= 2 && value[0] == '\'' && value[len(value)-1] == '\'' {
		return value[1 : len(value)-1]
	}
	return value
}

// endLine returns a summary with a line feed at its end.
func endLine(text string) string {
	if strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

func unescape(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b.WriteByte(text[i])
			continue
		}
		if strings.HasPrefix(text[i+1:], `\`) {
			b.WriteByte('\\')
			i++
			continue
		}
		if n, err := strconv.ParseUint(text[i+1:min(i+3, len(text))], 16, 8); err == nil && i+3 <= len(text) {
			b.WriteByte(byte(n))
			i += 2
			continue
		}
		b.WriteByte('\\')
	}
	return b.String()
}
