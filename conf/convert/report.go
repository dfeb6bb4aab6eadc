package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A File is an input file.
type File struct {
	Name string
	Text string
}

// A Position is a line of an input file, from 1.
type Position struct {
	File string
	Line int
}

// String returns "file:line".
func (p Position) String() string { return fmt.Sprintf("%s:%d", p.File, p.Line) }

// A Finding is what an administrator should know about one directive.
type Finding struct {
	At Position
	// Person is true if the directive was not translated, so that a person has to
	// decide. Otherwise the finding is a note.
	Person  bool
	Message string
}

// String returns "file:line: message", with a mark if a person is needed. A finding
// about no line has no position.
func (f Finding) String() string {
	kind := "note"
	if f.Person {
		kind = "not translated"
	}
	if f.At == (Position{}) {
		return kind + ": " + f.Message
	}
	return fmt.Sprintf("%v: %s: %s", f.At, kind, f.Message)
}

// A Report collects the findings of a conversion.
type Report struct {
	Directives int // all that were read, translated or not
	Findings   []Finding
	known      map[Finding]bool
}

// Add adds a finding, unless it is there. One directive may be translated several times,
// for each table that it is about.
func (r *Report) Add(f Finding) {
	if r.known[f] {
		return
	}
	if r.known == nil {
		r.known = map[Finding]bool{}
	}
	r.known[f] = true
	r.Findings = append(r.Findings, f)
}

// Note adds a note.
func (r *Report) Note(at Position, format string, args ...any) {
	r.Add(Finding{at, false, fmt.Sprintf(format, args...)})
}

// Person adds a finding about a directive that was not translated.
func (r *Report) Person(at Position, format string, args ...any) {
	r.Add(Finding{at, true, fmt.Sprintf(format, args...)})
}

// Untranslated returns how many findings need a person.
func (r *Report) Untranslated() int {
	n := 0
	for _, f := range r.Findings {
		if f.Person {
			n++
		}
	}
	return n
}

// String returns the findings in the order of the files, one a line, and then a
// summary.
func (r *Report) String() string {
	findings := slices.Clone(r.Findings)
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.At.File, b.At.File), cmp.Compare(a.At.Line, b.At.Line))
	})
	var b strings.Builder
	for _, f := range findings {
		b.WriteString(shown(f.String()) + "\n")
	}
	person, notes := r.Untranslated(), len(findings)-r.Untranslated()
	fmt.Fprintf(&b, "%s read: %s, %s\n", count(r.Directives, "directive"), count(notes, "note"), needPerson(person))
	return b.String()
}

// shown returns a text as a terminal may have it: words of the old file can have what
// would change its colours or its title.
func shown(text string) string {
	var b strings.Builder
	for _, r := range text { // a byte that is not UTF-8 is U+FFFD
		if r == '\n' || r == '\t' || strconv.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
	}
	return b.String()
}

func needPerson(n int) string {
	switch n {
	case 0:
		return "all translated"
	case 1:
		return "1 not translated"
	}
	return fmt.Sprintf("%d not translated", n)
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
