package converttest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/conf/convert"
)

// The fates of a directive, as the second column of a table in the documentation has them.
const (
	translated = "yes"
	needless   = "not needed"
	byHand     = "**by hand**"
)

// A Row is a directive in a table of the documentation.
type Row struct {
	Table     string // the title above it
	Directive string
	fate      string
	text      string
}

// A snippet is what testdata has for a row: lines of the old file, and what becomes of
// them.
type snippet struct {
	text                               string
	want, gone, without, note, persons []string
}

// A Table says how the rows of one table are tested.
type Table struct {
	Title string
	// Known are the directives that the table must have, and no others.
	Known []string
	// Files are the files of a small configuration with some lines in the place that the
	// table is about; "" leaves the directive out.
	Files func(lines string) []convert.File
}

// Rows holds each row of tables of a page to what the converter does. For every directive
// of a row, file has a snippet:
//
//	## TABLE
//	# DIRECTIVE
//	lines of the old file
//	> want: text of the result, which is not there without the lines
//	> gone: text that is in the result without the lines only
//	> without: text that is not in the result
//	> note: text of a note
//	> person: text of what needs a person
//
// A row whose text is a finding needs no note and no person.
// "yes" must have one of these and need no person, "not needed" must have a note and change
// nothing, and "by hand" must need a person. A key that the row names must be in what
// became of its snippets.
func Rows(t *testing.T, c Converter, page, file string, tables []Table) {
	t.Helper()
	snippets := readSnippets(t, file)
	used := map[string]bool{}
	for _, table := range tables {
		rows := readRows(t, page, table.Title)
		var named []string
		for i := range rows {
			named = append(named, rows[i].Directive)
		}
		for _, d := range table.Known {
			if !slices.Contains(named, d) {
				t.Errorf("%s: no row of %q has %s", page, table.Title, d)
			}
		}
		base, baseReport := Run(t, c, table.Files("")...)
		keys := map[string]string{} // what became of the snippets of a row, by its text
		for i := range rows {
			r := &rows[i]
			if !slices.Contains(table.Known, r.Directive) {
				t.Errorf("%s: %s of %q is no directive", page, r.Directive, table.Title)
			}
			s, ok := snippets[r.Table+"\n"+r.Directive]
			if !ok {
				t.Errorf("%s: no snippet of %q for %s", file, r.Table, r.Directive)
				continue
			}
			used[r.Table+"\n"+r.Directive] = true
			toml, report := Run(t, c, table.Files(s.text)...)
			keys[r.text] += toml
			notes, persons := newFindings(report, baseReport)
			if wrong := r.check(&s, toml, base, notes, persons); wrong != "" {
				t.Errorf("%q, %s (%s): %s\n%s\n%s%s", r.Table, r.Directive, r.fate, wrong, cmp.Diff(base, toml), notes, persons)
			}
		}
		for i := range rows {
			rows[i].checkKeys(t, keys[rows[i].text])
		}
	}
	for key := range snippets {
		if !used[key] {
			t.Errorf("%s: no row for the snippet %q", file, key)
		}
	}
}

// check returns what is wrong with what became of a snippet.
func (r *Row) check(s *snippet, toml, base string, notes, persons string) string {
	for _, want := range s.want {
		if !strings.Contains(toml, want) {
			return fmt.Sprintf("no %q in the result", want)
		}
		if strings.Contains(base, want) {
			return fmt.Sprintf("%q is in the result without the lines too", want)
		}
	}
	for _, gone := range s.gone {
		if strings.Contains(toml, gone) || !strings.Contains(base, gone) {
			return fmt.Sprintf("%q is not what the lines take from the result", gone)
		}
	}
	for _, text := range s.without {
		if strings.Contains(toml, text) {
			return fmt.Sprintf("%q is in the result", text)
		}
	}
	for _, want := range s.note {
		if !strings.Contains(notes, want) {
			return fmt.Sprintf("no note %q", want)
		}
	}
	for _, want := range s.persons {
		if !strings.Contains(persons, want) {
			return fmt.Sprintf("no person is needed for %q", want)
		}
	}
	if len(s.note)+len(s.persons) == 0 && r.fate != translated && strings.Contains(notes+persons, r.message()) {
		s.note, s.persons = []string{r.text}, []string{r.text}
	}
	switch {
	case r.fate == translated && len(s.want)+len(s.gone)+len(s.without) == 0:
		return "the snippet says nothing of the result"
	case r.fate == translated && !r.mentions(slices.Concat(s.want, s.gone, s.without, changed(base, toml))):
		return "the row names nothing of what the snippet wants"
	case r.fate == needless && len(s.note) == 0:
		return "the snippet has no note"
	case r.fate == needless && toml != base:
		return "the result has changed"
	case r.fate == byHand && len(s.persons) == 0:
		return "the snippet needs no person"
	case r.fate != byHand && persons != "":
		return "a person is needed"
	}
	return ""
}

// message is the text of the row, which a finding may have as its own.
func (r *Row) message() string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(r.text), " |"), `\|`, "|")
}

// wantedKey is the key, or the table, of a line of a result.
var wantedKey = regexp.MustCompile(`^(?:\[+[a-z_.]+\]+|[a-z_]+)`)

// mentions reports whether the row names a key or a table of a result, or has none to
// name.
func (r *Row) mentions(wants []string) bool {
	named := 0
	for _, want := range wants {
		key := wantedKey.FindString(want)
		if key == "" {
			continue
		}
		if named++; regexp.MustCompile(`(^|[^a-z_])` + regexp.QuoteMeta(key) + `($|[^a-z_])`).MatchString(r.text) {
			return true
		}
	}
	return named == 0
}

// changed returns the lines that only one of two texts has, or has more often.
func changed(before, after string) (lines []string) {
	count := map[string]int{}
	for line := range strings.Lines(before) {
		count[line]--
	}
	for line := range strings.Lines(after) {
		count[line]++
	}
	for line, n := range count {
		if n != 0 {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// newFindings returns the notes that only a report has, and what needs a person in it.
func newFindings(report, before convert.Report) (notes, persons string) {
	known := map[string]bool{}
	for _, f := range before.Findings {
		known[f.Message] = true
	}
	for _, f := range report.Findings {
		switch {
		case known[f.Message]:
		case f.Person:
			persons += f.Message + "\n"
		default:
			notes += f.Message + "\n"
		}
	}
	return notes, persons
}

var (
	nextTitle  = regexp.MustCompile(`(?s)\n##+ .*`)
	quotedText = regexp.MustCompile("`([^`]+)`")
	keyText    = regexp.MustCompile(`^[a-z_]+( = .*)?$`)
)

// checkKeys reports a key in the text of a row that is in no result.
func (r *Row) checkKeys(t *testing.T, results string) {
	t.Helper()
	if r.fate != translated {
		return
	}
	for _, m := range quotedText.FindAllStringSubmatch(r.text, -1) {
		table := strings.HasPrefix(m[1], "[")
		if (table || keyText.MatchString(m[1])) && !regexp.MustCompile(`(^|[^a-z_])`+regexp.QuoteMeta(m[1])).MatchString(results) {
			t.Errorf("%q, %s: the row names %s, which is in no result", r.Table, r.Directive, m[1])
		}
	}
}

// readRows returns the rows below a title of a page.
func readRows(t *testing.T, page, title string) (rows []Row) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## "+title+"\n")
	if !ok {
		_, section, ok = strings.Cut(string(text), "\n### "+title+"\n")
	}
	if !ok {
		t.Fatalf("%s has no section %q", page, title)
	}
	section = nextTitle.ReplaceAllString(section, "")
	for line := range strings.Lines(section) {
		cells := strings.Split(line, " | ")
		if len(cells) < 3 || !slices.Contains([]string{translated, needless, byHand}, cells[1]) {
			continue
		}
		for _, m := range quotedText.FindAllStringSubmatch(cells[0], -1) {
			rows = append(rows, Row{title, m[1], cells[1], strings.Join(cells[2:], " | ")})
		}
	}
	if len(rows) == 0 {
		t.Fatalf("%s: no row below %q", page, title)
	}
	return rows
}

// readSnippets returns the snippets of a file by table and directive.
func readSnippets(t *testing.T, file string) map[string]snippet {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]snippet{}
	table, key := "", ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		kind, rest, _ := strings.Cut(line, ": ")
		s := all[key]
		switch {
		case strings.HasPrefix(line, "## "):
			table, key = line[3:], ""
			continue
		case strings.HasPrefix(line, "# "):
			if key = table + "\n" + line[2:]; all[key].text != "" {
				t.Errorf("%s: two snippets for %q", file, key)
			}
			continue
		case kind == "> want":
			s.want = append(s.want, rest)
		case kind == "> gone":
			s.gone = append(s.gone, rest)
		case kind == "> without":
			s.without = append(s.without, rest)
		case kind == "> note":
			s.note = append(s.note, rest)
		case kind == "> person":
			s.persons = append(s.persons, rest)
		case key == "":
			continue
		default:
			s.text += line + "\n"
		}
		all[key] = s
	}
	return all
}
