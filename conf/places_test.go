package conf

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The director is found wherever TOML lets it stand, with errors elsewhere too.
func TestPlaces(t *testing.T) {
	const rest = "[[vrrp]]\nname = \"[director]\"\nno = \"\"\"\n[director]\nruntime_dir = \"/wrong\"\n\"\"\"\n[vrrp.director]\nruntime_dir = \"/wrong\"\n"
	dir := t.TempDir()
	included := filepath.Join(dir, "more.toml")
	if err := os.WriteFile(included, []byte(rest+"[director]\nruntime_dir = \"/there\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ src, runtimeDir, journal string }{
		"nothing":             {"", "/run/holdfast", "/var/lib/holdfast/events.jsonl"},
		"another table":       {rest, "/run/holdfast", "/var/lib/holdfast/events.jsonl"},
		"first":               {"[director]\nruntime_dir = \"/there\"\n" + rest, "/there", "/there/events.jsonl"},
		"last":                {rest + "[director] # here\nruntime_dir = \"/there\"", "/there", "/there/events.jsonl"},
		"after its own table": {rest + "[director.log]\nlevel = \"warn\"\n[[service]]\n[director]\nruntime_dir = \"/there\"\n", "/there", "/there/events.jsonl"},
		"a dotted key":        {"director.runtime_dir = \"/there\"\n" + rest, "/there", "/there/events.jsonl"},
		"an inline table":     {"director = { journal = \"off\", runtime_dir = \"/there\" }\n" + rest, "/there", ""},
		"escapes":             {"\ufeff[\"dir\\u0065ctor\"]\n\"runtime\\u005fdir\" = \"/there\"\n" + rest, "/there", "/there/events.jsonl"},
		"an included file":    {"include = [\n  # here\n  \"" + included + "\",\n]\n" + rest, "/there", "/there/events.jsonl"},
		"a journal":           {rest + "[director]\njournal = \"/log/events\"\n", "/run/holdfast", "/log/events"},
		"an error elsewhere":  {"[director]\nruntime_dir = \"/there\"\n[[service]]\nname = 7 7\n", "/there", "/there/events.jsonl"},
		"a wrong value":       {"[director]\nruntime_dir = 7\n", "/run/holdfast", "/var/lib/holdfast/events.jsonl"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, "a.toml")
			if err := os.WriteFile(path, []byte(tt.src), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := RuntimeDir(path); got != tt.runtimeDir {
				t.Errorf("runtime directory %q, want %q", got, tt.runtimeDir)
			}
			if got := JournalPath(path); got != tt.journal {
				t.Errorf("journal %q, want %q", got, tt.journal)
			}
		})
	}
}

// An excerpt has what the whole has, without its other tables.
func wantExcerpt(t *testing.T, src string, whole map[string]any) {
	t.Helper()
	var got map[string]any
	if _, err := toml.Decode(directorExcerpt(src), &got); err != nil {
		t.Fatalf("%v, in the excerpt\n%s", err, directorExcerpt(src))
	}
	if diff := cmp.Diff(whole["director"], got["director"], cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("the director is another (-whole +excerpt):\n%s", diff)
	}
	if diff := cmp.Diff(whole["include"], got["include"], cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("the included files are others (-whole +excerpt):\n%s", diff)
	}
}
