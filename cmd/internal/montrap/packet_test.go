package montrap

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/integration/tools"
)

const packet = "pro='0.3807'\nusr='lvs1'\npas='two\\20words'\nspc='1'\nseq='0'\ntyp='trap'\ngrp='web'\nsvc='http'\n" +
	"sta='3'\nspc='1'\ntsp='1790000000'\nsum='www1\\20www2\\0a'\ndtl='www1:\\0a\\09\\22down\\22\\20\\\\n'\n"

func TestParse(t *testing.T) {
	got, err := Parse([]byte(packet))
	want := &Trap{User: "lvs1", Password: "two words", Group: "web", Service: "http", Status: 3, Output: "www1 www2\n\nwww1:\n\t\"down\" \\n"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"no version": {"pro=", "pra="}, "an old version": {"0.3807", "0.37"}, "no number": {"0.3807", "NaN"},
		"no status": {"sta=", "sto="}, "a status that is no number": {"sta='3'", "sta='down'"}, "a large status": {"sta='3'", "sta='256'"},
		"no group": {"grp='web'", "grp=''"}, "no service": {"svc=", "srv="},
		"a long user": {"lvs1", strings.Repeat("u", 256)}, "a long group": {"'web'", strings.Repeat("g", 256)}, "a long service": {"'http'", strings.Repeat("s", 256)},
	} {
		if got, err := Parse([]byte(strings.Replace(packet, change[0], change[1], 1))); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A value without quotes, with lines that are no tags between, and with escapes that are
// none, is read as mon reads it.
func TestParseOdd(t *testing.T) {
	got, err := Parse([]byte("pro=0.3807\nnonsense\n=x\ngrp=a\nsvc=b\nsta=0\nsum=\\zz \\4\nsum2=x\ndtl='"))
	if err != nil || got.Output != "\\zz \\4\n\n'" {
		t.Errorf("%+v, %v", got, err)
	}
}

// What Mon::Client sends is read as it was given.
func TestParseClient(t *testing.T) {
	const script = `sub e { my ($s) = @_; $s =~ s/([^!-~]|["'])|(\\)/defined $2 ? "\\\\" : sprintf("\\%02x", ord($1))/ge; $s } print e($ARGV[0])`
	for _, text := range []string{"plain", "a b\tc\n", `\5c \\ \n`, `"it's"`, "caf\xe9"} {
		out, err := exec.Command("perl", "-e", script, text).Output()
		if err != nil {
			tools.Without(t, "netns", fmt.Sprintf("perl: %v", err)) // whoever has namespaces has mon, and its perl
		}
		if got := unescape(string(out)); got != text {
			t.Errorf("%q is sent as %q and read as %q", text, out, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(packet))
	f.Fuzz(func(t *testing.T, data []byte) {
		if trap, err := Parse(data); err == nil && (trap.Group == "" || trap.Service == "" || strings.Contains(trap.Output, "\x00")) {
			t.Errorf("%+v", trap)
		}
	})
}
