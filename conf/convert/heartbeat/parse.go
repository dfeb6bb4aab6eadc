package heartbeat

import (
	"path"
	"strings"

	"holdfast/conf/convert"
)

// A line is a logical line: its words.
type line struct {
	at    convert.Position
	words []string
}

// lines returns the lines of a file without comments. A backslash at the end joins a
// line with the next.
func lines(f convert.File, report *convert.Report) []line {
	var all []line
	var open *line
	for i, text := range strings.Split(f.Text, "\n") {
		text, _, _ = strings.Cut(strings.TrimRight(text, "\r"), "#")
		text, goesOn := strings.CutSuffix(strings.TrimRight(text, " \t"), `\`)
		if open == nil {
			open = &line{at: convert.Position{File: f.Name, Line: i + 1}}
		}
		open.words = append(open.words, strings.Fields(text)...)
		if goesOn {
			continue
		}
		if len(open.words) > 0 {
			report.Directives++
			all = append(all, *open)
		}
		open = nil
	}
	if open != nil && len(open.words) > 0 {
		report.Directives++
		all = append(all, *open)
	}
	return all
}

// A role is which of the three files a file is.
type role int

const (
	roleHACF role = iota
	roleResources
	roleKeys
)

var (
	keysSign = convert.Pattern(`(?m)^\s*auth\s+\d+\s*$`)
	hacfSign = convert.Pattern(`(?m)^\s*(node|keepalive|deadtime|bcast|mcast|ucast|auto_failback|udpport|serial)\s+\S`)
)

// roleOf tells which file it is, by the name or else by the content.
func roleOf(f convert.File) role {
	name := path.Base(f.Name)
	switch {
	case strings.Contains(name, "haresources"):
		return roleResources
	case strings.Contains(name, "authkeys"):
		return roleKeys
	case strings.Contains(name, "ha.cf"):
		return roleHACF
	case keysSign().MatchString(f.Text):
		return roleKeys
	case hacfSign().MatchString(f.Text):
		return roleHACF
	}
	return roleResources
}
