package keepalived

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/integration/tools/golden"
)

// input is that of a machine called lvs1, without files and environment.
func input(files ...convert.File) convert.Input {
	return convert.Input{Files: files, Host: "lvs1.example.org", Dir: "/etc/holdfast"}
}

// convertFile converts one file, and checks that the result is what a user can load.
func convertFile(t *testing.T, f convert.File) (toml string, report convert.Report) {
	t.Helper()
	in := input(f)
	in.Read, in.Glob = os.ReadFile, filepath.Glob
	result := Convert(in, &report)
	if result == nil {
		return "", report
	}
	toml = result.TOML()
	checkValid(t, result, toml)
	for _, s := range result.Secrets {
		if secret := strings.TrimSpace(string(s.Content)); len(secret) > 6 && strings.Contains(toml+report.String(), secret) {
			t.Errorf("the secret of %s is in the file or the report:\n%s", s.Path, toml)
		}
	}
	return toml, report
}

// checkValid loads the text with its secrets, as `holdfast check` does.
func checkValid(t *testing.T, result *convert.Result, toml string) {
	t.Helper()
	secret := func(path string) ([]byte, error) {
		for _, s := range result.Secrets {
			if s.Path == path {
				return s.Content, nil
			}
		}
		return os.ReadFile(path)
	}
	c, _, err := conf.ParseDraft("converted.toml", []byte(toml), secret)
	if err != nil {
		t.Errorf("the result is not valid: %v\n%s", err, toml)
		return
	}
	if result.Config.Director.Name == "" { // the name of the host
		if c.Notify.Mail.Helo == c.Director.Name {
			c.Notify.Mail.Helo = ""
		}
		c.Director.Name = ""
	}
	if diff := cmp.Diff(result.Config, c, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}, netip.Prefix{})); diff != "" {
		t.Errorf("the text is another configuration (-converted +text):\n%s\n%s", diff, toml)
	}
}

// Each testdata/*.conf has the result and the report that belong to it.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.conf")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			toml, report := convertFile(t, convert.File{Name: path, Text: string(text)})
			base := strings.TrimSuffix(path, ".conf")
			golden.Compare(t, base+".toml", toml)
			golden.Compare(t, base+".report", strings.ReplaceAll(report.String(), "testdata/", ""))
		})
	}
}

// Every word that keepalived knows stands in a file of testdata, so that the golden
// files show what becomes of it.
func TestEveryWordIsTested(t *testing.T) {
	seen := map[*word]bool{}
	files, _ := filepath.Glob("testdata/*.conf")
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var report convert.Report
		r := &reader{in: input(), report: &report, id: "lvs1", defs: map[string]*definition{}}
		r.in.Read, r.in.Glob = os.ReadFile, filepath.Glob
		r.read(convert.File{Name: path, Text: string(text)})
		p := &parser{lines: r.out, report: &report}
		var walk func([]*directive)
		walk = func(list []*directive) {
			for _, d := range list {
				if d.word != nil {
					seen[d.word] = true
				}
				walk(d.body)
			}
		}
		walk(p.parse())
	}
	missing := 0
	eachWord(func(path string, w *word) {
		if !seen[w] && !strings.HasPrefix(w.name, "include") {
			missing++
			t.Errorf("no file of testdata has %s in [%s]", w.name, path)
		}
	})
	if missing > 0 {
		t.Logf("%d words missing", missing)
	}
}

func eachWord(do func(path string, w *word)) {
	var walk func(w *words)
	walk = func(w *words) {
		for _, k := range w.list {
			do(w.path, k)
			if k.sub != nil {
				walk(k.sub)
			}
		}
	}
	walk(grammar())
}

// wantWords is how many different words keepalived knows, from 2.2.7 to 2.4.3, and those
// that its manual has since.
const wantWords = 375

func TestEveryWordIsKnown(t *testing.T) {
	names := map[string]bool{}
	eachWord(func(_ string, w *word) { names[w.name] = true })
	if len(names) < wantWords {
		t.Errorf("%d words, want %d", len(names), wantWords)
	}
}

const docPath = "../../../docs/convert-keepalived.md"

// The table in the documentation is the table of words.
func TestDocumentation(t *testing.T) {
	var b strings.Builder
	path := "\n"
	eachWordByBlock(func(at string, w *word) {
		if at != path {
			path = at
			title := "Top level"
			if at != "" {
				title = "`" + strings.ReplaceAll(at, ".", "` / `") + "`"
			}
			fmt.Fprintf(&b, "\n### %s\n\n| word | | in holdfast |\n|---|---|---|\n", title)
		}
		fate := map[fate]string{translated: "yes", needless: "not needed", byHand: "**by hand**"}[w.fate]
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", w.name, fate, strings.ReplaceAll(w.text, "|", `\|`))
	})
	const begin, end = "<!-- words -->\n", "<!-- end of words -->"
	doc, err := os.ReadFile(docPath)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(doc), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of words", docPath)
	}
	if *golden.Update {
		if err := os.WriteFile(docPath, []byte(before+begin+b.String()+"\n"+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(b.String()+"\n", old); diff != "" {
		t.Errorf("%s (-table +documentation), go test -update writes it:\n%s", docPath, diff)
	}
}

// eachWordByBlock visits the words of a block together.
func eachWordByBlock(do func(path string, w *word)) {
	var walk func(w *words)
	walk = func(w *words) {
		for _, k := range w.list {
			do(w.path, k)
		}
		for _, k := range w.list {
			if k.sub != nil && strings.HasSuffix(k.sub.path, k.name) { // not the block of another word
				walk(k.sub)
			}
		}
	}
	walk(grammar())
}

// maxCPU is the CPU time in which a large configuration must convert. The race detector
// takes some ten times as long.
const maxCPU = time.Second

// A configuration of 500 instances and one of 1,800 servers convert in less than a
// second of CPU time each, all threads together.
func TestLargeConfigurations(t *testing.T) {
	for name, text := range map[string]string{"500 instances": manyInstances(500), "1,800 servers": manyServers(180, 10)} {
		start := cpuTime(t)
		var report convert.Report
		result := Convert(input(convert.File{Name: "large.conf", Text: text}), &report)
		took := cpuTime(t) - start
		if result == nil || report.Untranslated() > 0 {
			t.Fatalf("%s:\n%s", name, report.String())
		}
		size := len(result.TOML())
		t.Logf("%s: %d lines to %d bytes in %v of CPU time", name, strings.Count(text, "\n"), size, took.Round(time.Millisecond))
		if took > maxCPU && !raceDetector() {
			t.Errorf("%s: %v of CPU time, want at most %v", name, took, maxCPU)
		}
	}
}

// cpuTime is what this process has used.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// raceDetector reports whether the test was built with it.
func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.ContainsFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == "-race" && s.Value == "true" })
}

func manyInstances(n int) string {
	var b strings.Builder
	b.WriteString("vrrp_script up {\n script /bin/true\n}\n")
	for i := range n {
		fmt.Fprintf(&b, "vrrp_instance VI_%d {\n interface eth%d\n virtual_router_id %d\n priority 150\n advert_int 1\n authentication {\n auth_type PASS\n auth_pass p%d\n }\n virtual_ipaddress {\n 10.%d.%d.100/24\n }\n track_script {\n up\n }\n notify \"/etc/notify.sh a\"\n}\n",
			i, i/200, i%200+1, i%7, i/200, i%200)
	}
	return b.String()
}

func manyServers(services, servers int) string {
	var b strings.Builder
	for i := range services {
		fmt.Fprintf(&b, "virtual_server 10.0.%d.1 80 {\n delay_loop 6\n lb_algo wrr\n lb_kind DR\n protocol TCP\n", i)
		for j := range servers {
			fmt.Fprintf(&b, " real_server 192.168.%d.%d 80 {\n weight 5\n TCP_CHECK {\n connect_timeout 3\n }\n }\n", i, j+1)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func BenchmarkConvert(b *testing.B) {
	for name, text := range map[string]string{"500instances": manyInstances(500), "1800servers": manyServers(180, 10)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var report convert.Report
				if Convert(input(convert.File{Name: "large.conf", Text: text}), &report) == nil {
					b.Fatal(report.String())
				}
			}
		})
	}
}
