package keepalived

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/conf/convert"
)

// expand returns the logical lines of a text, and the report.
func expand(text, id string) (lines []string, report convert.Report) {
	r := &reader{in: input(), report: &report, id: id, defs: map[string]*definition{}}
	r.in.Getenv = func(name string) string { return map[string]string{"SITE": "berlin"}[name] }
	r.read(convert.File{Name: "/etc/keepalived/keepalived.conf", Text: text})
	for _, l := range r.out {
		lines = append(lines, l.text)
	}
	return lines, report
}

// What keepalived 2.2.7 makes of its language.
func TestLines(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"both signs begin comments", "priority 90!80\n10.0.0.1#x\n! all\n# all\na ! b # c\n", "priority 90|10.0.0.1|a"},
		{"signs in quotes are text", "auth_pass \"a #b!\"\n", `auth_pass "a #b!"`},
		{"a backslash protects a sign", `auth_pass a\#b\!c`, "auth_pass a#b!c"},
		{"an unquoted password is cut", "auth_pass a#b!c\n", "auth_pass a"},
		{"one-line blocks", "a { b 1 } c { d }\n", "a|{|b 1|}|c|{|d|}"},
		{"braces in quotes are text", `script "a{b}"`, `script "a{b}"`},
		{"CR LF and tabs", "\tstate\tMASTER\r\n", "state\tMASTER"},
		{"a condition holds", "@lvs1 priority 150\n@^lvs1 priority 100\n@lvs2 priority 90\n", "priority 150"},
		{"a condition without a line", "@lvs1\nx\n", "x"},
		{"a definition at the end of a word", "$n=3\n10.0.0.$n\n10.0.0.$n/24\n${n}/24\n$n x\n", "10.0.0.3|10.0.0.$n/24|3/24|3 x"},
		{"an unknown definition stays", "script \"$HOME ${X}\"\n", `script "$HOME ${X}"`},
		{"a definition in a definition", "$A=10.2.${B}\n$B=0\n${A}.1\n$B=1\n${A}.1\n", "10.2.0.1|10.2.1.1"},
		{"an empty definition", "$A=\nx $A y\n", "x  y"},
		{"a definition of a condition", "$M=@lvs1\n$M priority 1\n$N=@lvs2\n$N priority 2\n", "priority 1"},
		{"several lines", "$I= \\\n a ${N} { \\\n  b \\\n }\n\n$N=1\n$I\n$N=2\n$I\n", "a 1|{|b|}|a 2|{|b|}"},
		{"several lines in several lines", "$R= \\\nr ${n} \\\ns\n\n$V= \\\nv { \\\n$n=1 \\\n$R \\\n$n=2 \\\n$R \\\n}\n\n$V\n", "v|{|r 1|s|r 2|s|}"},
		{"several lines must stand at the end", "$I= \\\na \\\nb\n\nx $I\n$I x\n", "x|a|b|$I x"},
		{"a comment ends with a backslash", "$I= \\\n a \\\n # c \\\n b\nx\n", "x"},
		{"a sequence", "~SEQ(n,1,3) 10.0.0.$n\n", "10.0.0.1|10.0.0.2|10.0.0.3"},
		{"a sequence with a step", "~SEQ(n, 2, 2, 6) $n\n", "2|4|6"},
		{"the step is the third", "~SEQ(n, 2, 6, 2) $n\n", "2"},
		{"a sequence to a number", "~SEQ(n, 3) $n\n", "1|2|3"},
		{"a sequence downwards", "~SEQ(n, 3, 1) $n\n", "3|2|1"},
		{"a hexadecimal sequence", "~SEQx(n, 0x90, 0x10, 0xc0) fe80::${n}:1\n", "fe80::90:1|fe80::a0:1|fe80::b0:1|fe80::c0:1"},
		{"sequences nest", "~SEQ(a,1,2) ~SEQ(b,3,4) ${a}.${b}\n", "1.3|1.4|2.3|2.4"},
		{"a list", "~LST(x,7,9) 10.0.0.$x\n", "10.0.0.7|10.0.0.9"},
		{"a list of sets", "~LST({a, b}, {10,1}, {20, 4}) ${a}.${b}\n", "10.1|20.4"},
		{"a list and a sequence", "~LST({IP, IP1}, {10,1},{20,4}) ~SEQ(IP2,168,2,170) 192.${IP2}.${IP}.${IP1}\n", "192.168.10.1|192.170.10.1|192.168.20.4|192.170.20.4"},
		{"a sequence of a block", "$I= \\\nv $n { \\\n}\n\n~SEQ(n,1,2) $I\n", "v 1|{|}|v 2|{|}"},
		{"what keepalived defines", "a ${_INSTANCE}\nb ${_PWD}/x\nc ${_HASH}${_BANG}\nd ${_ENV SITE}\n", "a lvs1|b /etc/keepalived/x|c #!|d berlin"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, _ := expand(tt.text, "lvs1")
			if diff := cmp.Diff(tt.want, strings.Join(lines, "|")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What cannot be read is in the report.
func TestLineFindings(t *testing.T) {
	for text, want := range map[string]string{
		"auth_pass a#b\n":                     "begins a comment although no blank is before it",
		"~SEQ(n,1,3) vrrp_instance W$n {\n":   "a repetition repeats one line, not a block",
		"~SEQ(n,1,0,3) x\n":                   "does not understand the repetition",
		"include /no/such/file.conf\n":        "/no/such/file.conf does not exist: keepalived ran without it",
		"include /no/such/*.conf\n":           "note: no file matches /no/such/*.conf",
		"x ${_RANDOM 5 9}\n":                  "the lowest, 5, was taken",
		"x ${_ENV NOTHERE}\n":                 "NOTHERE is not set here",
		"state {{ STATE }}\n":                 "a placeholder of a template",
		"$A=$A b\n$A\n":                       "a definition contains itself",
		"$A= \\\nx \\\n$A\n\n$A\n":            "a definition contains itself",
		"x \"a\n":                             "the quote is not closed",
		strings.Repeat("a", maxLine+1) + "\n": "the line is too long",
		"~SEQ(a,1,60000) ~SEQ(b,1,60000) x\n": "the configuration is too long",
	} {
		_, report := expand(text, "lvs1")
		if got := report.String(); !strings.Contains(got, want) {
			t.Errorf("%.60q: %q is not in\n%.500s", text, want, got)
		}
	}
}

// A line has the position of the file that it stands in.
func TestInclude(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("main.conf", "a\ninclude conf.d/*.conf\nz\n")
	write("conf.d/1.conf", "b\ninclude sub/{x,y}.conf\n")
	write("conf.d/2.conf", "\nd\n")
	write("conf.d/sub/x.conf", "c\n")
	write("conf.d/sub/y.conf", "$e=1\n")
	write("loop.conf", "include loop.conf\n")
	read := func(name string) ([]string, convert.Report) {
		var report convert.Report
		r := &reader{in: input(), report: &report, defs: map[string]*definition{}}
		r.in.Glob, r.in.Read = filepath.Glob, os.ReadFile
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		r.read(convert.File{Name: filepath.Join(dir, name), Text: string(text)})
		var lines []string
		for _, l := range r.out {
			rel, _ := filepath.Rel(dir, l.at.File)
			lines = append(lines, fmt.Sprintf("%s:%d %s", rel, l.at.Line, l.text))
		}
		return lines, report
	}
	lines, report := read("main.conf")
	want := []string{"main.conf:1 a", "conf.d/1.conf:1 b", "conf.d/sub/x.conf:1 c", "conf.d/2.conf:2 d", "main.conf:3 z"}
	if diff := cmp.Diff(want, lines); diff != "" || report.Untranslated() > 0 {
		t.Errorf("(-want +got):\n%s%s", diff, report.String())
	}
	if _, report := read("loop.conf"); !strings.Contains(report.String(), "does a file include itself?") {
		t.Errorf("a file that includes itself:\n%.300s", report.String())
	}
}

// How keepalived splits words, and how it splits the words of programs.
func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		`a  "b c" d`:  "[a][b c][d]",
		`a"b c"d`:     "[a][b c][d]",
		`a ""`:        "[a][]",
		`a "b`:        "[a]",
		"a\tb\u00e4c": "[a][bäc]",
		`a 'b c'`:     "[a]['b][c']",
	} {
		var got strings.Builder
		for _, w := range splitWords(text) {
			got.WriteString("[" + w + "]")
		}
		if got.String() != want {
			t.Errorf("%q: %s, want %s", text, got.String(), want)
		}
	}
	for text, want := range map[string]string{
		`/bin/a 'b c' d`:              "[/bin/a][b c][d]",
		`abcd" efg h jkl "mnop`:       "[abcd efg h jkl mnop]",
		`abcd "efg h jkl" mnop`:       "[abcd][efg h jkl][mnop]",
		`a \"b\x41\101\cA\tE\E`:       "[a][\"bAA\x01\tE\x1b]",
		`a 'b`:                        "?",
		`a \`:                         "?",
		`notify "/bin/x 'one two'" u`: "[notify][/bin/x 'one two'][u]",
	} {
		words, ok := commandWords(text)
		got := "?"
		if ok {
			got = ""
			for _, w := range words {
				got += "[" + w + "]"
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Nothing makes the converter fail, hang, or write a file that holdfast refuses.
func FuzzConvert(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.conf")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(manyInstances(2))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 20_000 {
			return
		}
		var report convert.Report
		result := Convert(input(convert.File{Name: "keepalived.conf", Text: text}), &report)
		if result == nil {
			return
		}
		checkValid(t, result, result.TOML())
	})
}
