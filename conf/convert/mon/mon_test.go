package mon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
	"holdfast/integration/tools/golden"
)

func read(t *testing.T, name string) convert.File {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return convert.File{Name: name, Text: string(text)}
}

// Each mon.cf of testdata has its result and its report; auth.cf goes with the first.
func TestGolden(t *testing.T) {
	for name, files := range map[string][]convert.File{
		"site": {read(t, "auth.cf"), read(t, "site.cf")}, "traps": {read(t, "traps.cf")},
	} {
		t.Run(name, func(t *testing.T) {
			toml, report := converttest.Run(t, Convert, files...)
			golden.Compare(t, filepath.Join("testdata", name+".toml"), toml)
			golden.Compare(t, filepath.Join("testdata", name+".report"), report.String())
			if strings.Contains(toml+report.String(), "hunter2") {
				t.Error("the password of a trap is in the output")
			}
		})
	}
}

// head is a watch with one service, up to its periods.
const head = "watch www\n service http\n  interval 10s\n  monitor http.monitor\n"

// depends is a mon.cf with a service that depends on others by an expression.
func depends(expression, behavior string) string {
	text := ""
	for _, watch := range []string{"watch a\n service x\n", " service x-2\n", "\nwatch b\n service x\n"} {
		text += watch + "  interval 1m\n  monitor m\n"
	}
	text += "\nwatch www\n service x\n  interval 1m\n  monitor m\n service http\n  interval 10s\n  monitor http.monitor\n  depend " + expression + "\n"
	if behavior != "" {
		text += "  dep_behavior " + behavior + "\n"
	}
	return text + "  period\n   alert a.alert\n   startupalert s.alert\n  period also: wd {Mon}\n   alert b.alert\n"
}

// What a line means, where mon reads it in another way than people expect.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, text   string
		toml, report string // parts; "": none
	}{
		{"no period", head, `name = "www:http"`, "no hostgroup www above"},
		{"a comment is no empty line", "hostgroup www a\n# b\n c\n\n" + head, `name = "c"`, ""},
		{"an empty line ends a watch", head + "\n  period\n   alert mail.alert x\n", "", "6: not translated: mon ignores this line"},
		{"a hostgroup takes what follows", "hostgroup www a\n" + head, "", "takes this line for hosts"},
		{"a variable in a hostgroup", "hostgroup www a\nmaxprocs = 7\n b\n\n" + head, "max_check_programs = 7", ""},
		{"the last interval counts", head + "  interval 20s\n", `interval = "20s"`, ""},
		{"no hosts", head + "  exclude_hosts www\n", "", "has no hosts"},
		{"an empty group", head + "  exclude_hosts www\n  allow_empty_group\n", `host = "none"`, ""},
		{"each failure", head + "  period\n   alert a.alert\n", `pace = "check"`, ""},
		{"summary by default", head + "  period\n   alert a.alert\n   alertevery 1d\n", `change = "summary"`, ""},
		{"old word", head + "  period\n   alert a.alert\n   alertevery 1h summary\n", `every = "1h"`, ""},
		{"no day in alertafter", head + "  period\n   alert a.alert\n   alertafter 2 1d\n", "", "mon does not start: the time of alertafter"},
		{"too long", head + "  period\n   alert a.alert\n   alertafter 7 1m\n", "", "7 failures cannot fall into 1m"},
		{"upalert alone", head + "  period\n   upalert a.alert\n", "", "mon never calls this upalert"},
		{"upalert alone, unpaired", head + "  period\n   upalert a.alert\n   no_comp_alerts\n", "unpaired = true", ""},
		{"an upalert more", head + "  period\n   alert a.alert\n   upalert a.alert\n   upalert b.alert\n", `recovery_command = ["/usr/lib/mon/alert.d/b.alert"]`, ""},
		{"old directive", head + "  period\n   comp_alerts\n", "", "comp_alerts is of older versions"},
		{"misspelt", head + "  secret hunter2\n", "", "mon does not start: it has no such directive"},
		{"a period below nothing", "watch www\n period\n", "", "period must stand below a service"},
		{"dependence of a dependence", "watch a\n service x\n  interval 1m\n  monitor m\n\nwatch b\n service x\n  interval 1m\n  monitor m\n  depend a:x\n\n" + head +
			"  depend b:x\n  period\n   alert a.alert\n", `unless = ["b:x", "a:x"]`, ""},
		{"depend: either", depends("a:x || b:x", ""), `unless = [["a:x", "b:x"]]`, ""},
		{"depend: one and either", depends("(b:x or SELF:x) and a:x", ""), `unless = [["b:x", "www:x"], "a:x"]`, ""},
		{"depend: not", depends("! a:x", ""), `unless = ["!a:x"]`, "all translated"},
		{"depend: a list", depends("a:x b:x", ""), `name = "www:http"`, "it is no expression: so it calls no alert of this service"},
		{"depend: round", depends("www:http", ""), `name = "www:http"`, "go round"},
		{"depend: on nothing", depends("no:such", ""), `name = "www:http"`, "there is no service no:such"},
		{"depend: a number", depends("a:x || 1", ""), `name = "www:http-1"`, ""},
		{"depend: arithmetic", depends("a:x + b:x > 1", ""), `name = "www:http-1"`, "it has more than services"},
		{"depend: one name in another", depends("a:x && a:x-2", ""), `"a:x-2"`, "mon confuses a:x-2 with a:x"},
		{"alertdepend", strings.Replace(depends("a:x", ""), "depend", "alertdepend", 1), `name = "www:http"`, "so it calls no alert of this service"},
		{"monitor: both", depends("a:x && b:x", "m"), `depends = ["a:x/a", "b:x/b"]`, ""},
		{"monitor: either", depends("a:x || b:x", "m"), `depends = [["a:x/a", "b:x/b"]]`, ""},
		{"monitor: not", depends("!a:x", "m"), `name = "www:http"`, "cannot depend on that"},
		{"monitor: a list", depends("a:x b:x", "m"), `name = "b:x"`, "it never runs this monitor"},
		{"m4", "dnl\ndefine(_X_, `y')\nwatch www\n", "", "this file is for m4"},
		{"not mon's", "user root\npassword hunter2\n", "", "this is no mon.cf"},
	} {
		toml, r := converttest.Run(t, Convert, convert.File{Name: "mon.cf", Text: c.text})
		report := r.String()
		if !strings.Contains(toml, c.toml) || !strings.Contains(report, c.report) || strings.Contains(report, "hunter2") {
			t.Errorf("%s: want %q in\n%s\nand %q in\n%s", c.name, c.toml, toml, c.report, report)
		}
	}
}

// A program is where this machine has it.
func TestPrograms(t *testing.T) {
	in := convert.Input{
		Files: []convert.File{{Name: "mon.cf", Text: "mondir = /a:b\n\n" + head}},
		Glob: func(pattern string) ([]string, error) {
			if pattern == "/usr/lib/mon/b/http.monitor" {
				return []string{pattern}, nil
			}
			return nil, nil
		},
	}
	var report convert.Report
	if toml := Convert(in, &report).TOML(); !strings.Contains(toml, `"/usr/lib/mon/b/http.monitor"`) {
		t.Errorf("result\n%s", toml)
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		`a  b	c`: "a|b|c", `-S "x y" 'it\s' z\ z`: `-S|x y|it\s|z z`, `"a\"b"c ""`: `a"bc|`, `x="1 2"`: "x=1 2", `"open`: "!", `a\`: "!",
	} {
		all, ok := words(text)
		got := strings.Join(all, "|")
		if !ok {
			got = "!"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"10s": 10 * time.Second, "1.5m": 90 * time.Second, "2H": 2 * time.Hour, "1d": 24 * time.Hour, "10": 0, "1h30m": 0, "0s": 0} {
		if got, ok := duration(text); got != want || ok != (want > 0) {
			t.Errorf("%s: %v %v, want %v", text, got, ok, want)
		}
	}
	for d, want := range map[time.Duration]string{90 * time.Second: "1m30s", time.Hour: "1h", 10 * time.Minute: "10m", 25 * time.Hour: "25h", 1500 * time.Millisecond: "1.5s", 100 * time.Second: "1m40s", 20 * time.Second: "20s", 50 * time.Minute: "50m"} {
		if got := durationText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func FuzzConvert(f *testing.F) {
	f.Add(head + "  period wd {Sat}\n   alert \"a b\" c\\\n d\n")
	f.Fuzz(func(t *testing.T, text string) {
		var report convert.Report
		if result := Convert(convert.Input{Files: []convert.File{{Name: "mon.cf", Text: text}}}, &report); result != nil {
			_ = result.TOML()
		}
	})
}
