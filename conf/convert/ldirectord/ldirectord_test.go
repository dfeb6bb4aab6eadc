package ldirectord

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/conf/convert"
	"holdfast/conf/convert/converttest"
)

func TestGolden(t *testing.T) { converttest.Golden(t, Convert, "testdata/*.cf") }

// one converts a text.
func one(t *testing.T, text string) (toml, report string) {
	t.Helper()
	toml, r := converttest.Run(t, Convert, convert.File{Name: "ldirectord.cf", Text: text})
	return toml, r.String()
}

// What a line means, where ldirectord reads it in another way than people expect.
func TestLines(t *testing.T) {
	const head = "virtual=10.0.0.100:80\n"
	for _, c := range []struct {
		name, text   string
		toml, report string // parts; "": none
	}{
		{"tab", head + "\treal=192.168.0.1:80 gate\n", `address = "192.168.0.1:80"`, ""},
		{"eight blanks", head + "        real=192.168.0.1:80 gate\n", `address = "192.168.0.1:80"`, ""},
		{"two blanks", head + "  real=192.168.0.1:80 gate\n", "", "2: not translated: ldirectord does not start"},
		{"empty line", head + "\n\treal=192.168.0.1:80 gate\n", "", "3: not translated: ldirectord does not start"},
		{"no method", head + "\treal=192.168.0.1:80\n", "", "2: not translated"},
		{"range of five", head + "\treal=192.168.0.1->192.168.0.5:80 gate 5\n", `address = "192.168.0.5:80"`, ""},
		{"request with comma", head + "\treal=192.168.0.1:80 gate 3 \"x\", \"ok\"\n", `path = "/x"`, ""},
		{"request with blank", head + "\treal=192.168.0.1:80 gate 3 \"x\" \"ok\"\n", `body = "ok"`, ""},
		{"slash", head + "\treal=192.168.0.1:80 gate 3 \"/x\", \"ok\"\n", `weight = 3`, "drops a request that begins with a slash"},
		{"fallback is gate", head + "\treal=192.168.0.1:80 masq\n\tfallback=10.0.0.9:80\n", `fallback_forward = "dr"`, ""},
		{"port of the service", head + "\treal=192.168.0.1:80 masq\n\tfallback=10.0.0.9 masq\n", `fallback = "10.0.0.9:80"`, ""},
		{"IPv6 fallback", "virtual6=[2001:db8::1]:80\n\treal6=[2001:db8::2]:80 gate\n\tfallback6=[2001:db8::9]:81\n", `fallback = "[2001:db8::9]:80"`, "ipvsadm replaces the port 81 by 80"},
		{"fallback of a mark", "fallback=10.0.0.2:80\nvirtual=7\n\treal=192.168.0.1 gate\n\tfallback=10.0.0.9:81\n", `fallback = "10.0.0.9:81"`, ""},
		{"fallback at the top and a mark", "fallback=10.0.0.2:80\nvirtual=7\n\treal=192.168.0.1 gate\n", "", "has no effect on a firewall mark"},
		{"no service", "virtual=10.0.0.100:8080\n\treal=192.168.0.1:8080 masq\n", `type = "none"`, "always up"},
		{"hash in quotes", head + "\treal=192.168.0.1:80 gate\n\trequest=\"/a#b\"\n", "", "a # ends the line"},
		{"every fourth", head + "\treal=192.168.0.1:80 gate\n\tchecktype=3\n", "negotiate_every = 4", ""},
		{"timeouts are mutual", head + "\treal=192.168.0.1:80 gate\n\tchecktimeout=7\n", `timeout = "7s"`, ""},
		{"default timeout", head + "\treal=192.168.0.1:80 gate\n", `timeout = "10s"`, "waits up to 30 s"},
		{"udp connect", "virtual=10.0.0.100:514\n\treal=192.168.0.1:514 gate\n\tprotocol=udp\n\tchecktype=connect\n", `type = "ping"`, "is a ping"},
		{"mark", "virtual=10.0.0.100\n\treal=192.168.0.1 gate\n", "mark = 10", "firewall mark 10"},
		{"mark with protocol", "virtual=7\n\treal=192.168.0.1 gate\n\tprotocol=tcp\n", "mark = 7", "the protocol of a firewall mark is fwm"},
		{"dns is udp", "virtual=10.0.0.100:53\n\treal=192.168.0.1:53 gate\n", `protocol = "udp"`, "without receive="},
		{"unknown", head + "\treal=192.168.0.1:80 gate\n\tfoo=1\n", "", "does not know \"foo\""},
	} {
		toml, report := one(t, c.text)
		if !strings.Contains(toml, c.toml) || !strings.Contains(report, c.report) {
			t.Errorf("%s: want %q in\n%s\nand %q in\n%s", c.name, c.toml, toml, c.report, report)
		}
	}
}

// Hosts by name are resolved, as ldirectord does when it starts.
func TestNames(t *testing.T) {
	var report convert.Report
	in := convert.Input{
		Files: []convert.File{{Name: "f", Text: "virtual=www:http\n\treal=rs1:8080 masq\n\treal=nowhere:80 masq\n"}},
		Lookup: func(host string) ([]netip.Addr, error) {
			a, ok := map[string]string{"www": "10.0.0.100", "rs1": "192.168.0.11"}[host]
			if !ok {
				return nil, fmt.Errorf("no such host")
			}
			return []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr(a)}, nil
		},
	}
	toml := Convert(in, &report).TOML()
	for _, want := range []string{`address = "10.0.0.100:80"`, `address = "192.168.0.11:8080"`} {
		if !strings.Contains(toml, want) {
			t.Errorf("no %s in\n%s", want, toml)
		}
	}
	if !strings.Contains(report.String(), "the host nowhere has no address here") {
		t.Errorf("report:\n%s", report.String())
	}
}

// 500 services with 1,500 servers convert in well under a second.
func TestLarge(t *testing.T) {
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "virtual=10.0.%d.%d:80\n\treal=192.168.0.1->192.168.0.3:80 masq\n\trequest=\"x\"\n\treceive=\"ok\"\n\n", i/250, i%250+1)
	}
	begun := time.Now()
	toml, _ := one(t, b.String())
	if n := strings.Count(toml, "[[service.server]]"); n != 1500 {
		t.Errorf("%d servers", n)
	}
	t.Logf("took %v", time.Since(begun))
}

func FuzzConvert(f *testing.F) {
	f.Add("virtual=10.0.0.100:80\n\treal=192.168.0.1->192.168.0.5:80 gate 5 \"x\", \"y\" l:1 u:2\n\tchecktype=3\n")
	f.Add("checktimeout=3\nfallback=127.0.0.1:80\nvirtual6=[::1]:80\n\treal6=[::2]:80 ipip\n")
	f.Fuzz(func(t *testing.T, text string) {
		var report convert.Report
		if result := Convert(convert.Input{Files: []convert.File{{Name: "f", Text: text}}, Dir: "/etc/holdfast"}, &report); result != nil {
			_ = result.TOML()
		}
		_ = report.String()
	})
}

// The golden files have every directive.
func TestEveryDirective(t *testing.T) {
	used := ""
	paths, _ := filepath.Glob("testdata/*.cf")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		used += "\n" + string(text)
	}
	for directive := range globalDirectives {
		if !strings.Contains(used, "\n"+directive+"=") {
			t.Errorf("no golden file has %s at its top", directive)
		}
	}
	for directive := range options {
		if !strings.Contains(used, "\n\t"+directive+"=") {
			t.Errorf("no golden file has %s in a virtual service", directive)
		}
	}
}

// The value of a misspelt key may be a secret, so no finding shows it.
func TestMisspeltSecretIsNotShown(t *testing.T) {
	for _, text := range []string{
		"virtual=10.0.0.1:80\n\treal=192.168.0.1:80 masq\n\tpasswdx=\"s3cret\"\n",
		"emailpasswd=s3cret\n",
	} {
		var report convert.Report
		Convert(convert.Input{Files: []convert.File{{Name: "ldirectord.cf", Text: text}}}, &report)
		if found := report.String(); strings.Contains(found, "s3cret") || report.Untranslated() == 0 {
			t.Errorf("%s", found)
		}
	}
}
