package heartbeat

import (
	"path"
	"slices"
	"strings"

	"holdfast/conf/convert"
)

// foreign reports whether a file is of no use here because it is not one of
// heartbeat's. It says so without the words of the file, which may be secrets.
func (c *converter) foreign(f convert.File) bool {
	at := convert.Position{File: f.Name, Line: 1}
	if from := convert.Guess([]convert.File{f}); from != "" && from != "heartbeat" {
		c.report.Person(at, "this is a file of %s: convert it with --from %s", from, from)
		return true
	}
	if roleOf(f) == roleResources && !strings.Contains(path.Base(f.Name), "haresources") && !hasResources(f) {
		c.report.Person(at, "this is no file of heartbeat: haresources has lines like \"lvs1 10.0.0.1/24/eth0 apache2\"")
		return true
	}
	return false
}

// hasResources reports whether a line of a file has an address or an agent with
// arguments behind its first word, as haresources has.
func hasResources(f convert.File) bool {
	for _, l := range lines(f, new(convert.Report)) {
		if slices.ContainsFunc(l.words[1:], func(w string) bool { return looksLikeAddress(w) || strings.Contains(w, "::") }) {
			return true
		}
	}
	return false
}
