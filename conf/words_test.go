package conf

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSplitWords(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
		err      string
	}{
		{"one", "/bin/true", []string{"/bin/true"}, ""},
		{"blanks", " /bin/x \t a\n b ", []string{"/bin/x", "a", "b"}, ""},
		{"double quotes", `/x "a b" c"d e"f`, []string{"/x", "a b", "cd ef"}, ""},
		{"single quotes", `/x 'a "b" \'`, []string{"/x", `a "b" \`}, ""},
		{"empty words", `/x '' ""`, []string{"/x", "", ""}, ""},
		{"escapes", `/x a\ b \" "\"" \\`, []string{"/x", "a b", `"`, `"`, `\`}, ""},
		{"nothing is expanded", `/x $HOME * ~ a;b | c >d`, []string{"/x", "$HOME", "*", "~", "a;b", "|", "c", ">d"}, ""},
		{"nothing", "  ", nil, ""},
		{"open double", `/x "a`, nil, `the quote " is not closed`},
		{"open single", `/x 'a`, nil, `the quote ' is not closed`},
		{"escape of nothing", `/x a\`, nil, "must not end with a backslash"},
		{"control character", "/x \x00", nil, `must not contain the control character '\x00'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := splitWords(tt.in)
			text := ""
			if err != nil {
				text = err.Error()
			}
			if text != tt.err {
				t.Errorf("error %q, want %q", text, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormatDuration(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "10ms": 10 * time.Millisecond, "1.5s": 1500 * time.Millisecond, "20s": 20 * time.Second,
		"5m": 5 * time.Minute, "10m": 10 * time.Minute, "1h": time.Hour, "20h": 20 * time.Hour,
		"1h0m10s": time.Hour + 10*time.Second, "1h30m": 90 * time.Minute, "576h": 24 * 24 * time.Hour,
	} {
		if got := formatDuration(d); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if back, err := time.ParseDuration(want); err != nil || back != d {
			t.Errorf("%q reads as %v, %v; want %v", want, back, err, d)
		}
	}
}

func TestSuggest(t *testing.T) {
	words := []string{"interval", "interface", "priority", "preempt", "preempt_delay", "vrid", "mac", "ca", "secret_file", "file_mode", "file_user"}
	tests := []struct{ got, want string }{
		{"intervall", "interval"},
		{"intreval", "interval"},
		{"Interface", "interface"},
		{"prio", ""},
		{"preempt_dela", "preempt_delay"},
		{"secret", "secret_file"},
		{"file", ""},
		{"preemt", "preempt"},
		{"premptdelay", "preempt_delay"},
		{"virid", "vrid"},
		{"max", "mac"},
		{"cb", ""}, // one letter of two is too much
		{"colour", ""},
		{"", ""},
	}
	for _, tt := range tests {
		want := tt.want
		if want != "" {
			want = `; did you mean "` + want + `"?`
		}
		if got := suggest(tt.got, words); got != want {
			t.Errorf("%q: got %q, want %q", tt.got, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"ABC", "abc", 0},
		{"abc", "acb", 1}, {"abc", "axc", 1}, {"abc", "abcd", 1}, {"abcd", "abd", 1},
		{"kitten", "sitting", 3}, {"abcdef", "badcfe", 3},
	}
	for _, tt := range tests {
		if got := editDistance(tt.a, tt.b); got != tt.want {
			t.Errorf("%q %q: got %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := editDistance(tt.b, tt.a); got != tt.want {
			t.Errorf("%q %q: got %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

// FuzzLoad checks that the TOML library reads what quote writes.
func TestQuoteKey(t *testing.T) {
	for in, want := range map[string]string{
		"a-b_9": "a-b_9", "": `""`, "a b": `"a b"`, "10.0.0.1:80": `"10.0.0.1:80"`,
		"\"\\\n\x7f": `"\"\\\u000a\u007f"`, "é": `"é"`,
	} {
		if got := quoteKey(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
