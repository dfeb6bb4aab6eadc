package manual

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"holdfast/conf"
)

var meta = Meta{Date: time.Date(2026, 1, 2, 23, 0, 0, 0, time.UTC), Version: "1.0-rc1"}

const sample = `# Durations are strings.
# An unknown key is an error.

# ---- routers -----------------

# Kinds:
#   "a"  one - two
#   .b
[[vrrp]]                            # at least one
name = "out#side"                   # required
#mac = 'vr\rp'                      # of 100% of them
  [vrrp.auth]
  #keys = []
`

func TestChapters(t *testing.T) {
	want := []Chapter{
		{Parts: []Part{{Text: []string{"Durations are strings.", "An unknown key is an error."}}}},
		{Title: "routers", Parts: []Part{
			{Table: "[[vrrp]]"}, {Text: []string{"Kinds:"}}, {Literal: []string{`"a"  one - two`, ".b"}},
			{Text: []string{"at least one"}},
			{Key: &Key{Name: "name", Value: `"out#side"`, Meaning: "required"}},
			{Key: &Key{Name: "mac", Value: `'vr\rp'`, Default: true, Meaning: "of 100% of them"}},
			{Table: "[vrrp.auth]"},
			{Key: &Key{Name: "keys", Value: "[]", Default: true}},
		}},
	}
	if diff := cmp.Diff(want, Chapters(sample)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestConfigurationPage(t *testing.T) {
	got := Configuration(sample, meta)
	for _, want := range []string{
		".TH \"HOLDFAST.TOML\" 5 \"2026-01-02\" \"holdfast 1.0\\-rc1\"\n",
		".SH \"ROUTERS\"\n",
		".nf\n\"a\"  one \\- two\n\\&.b\n.fi\n",
		".SS \"[[vrrp]]\"\nKinds:\n",
		".TP\n\\fBname\\fR, such as \"out#side\"\nrequired.\n",
		".TP\n\\fBmac\\fR = 'vr\\erp'\nof 100% of them.\n",
		".TP\n\\fBkeys\\fR = []\nSee the text above.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// No key of the real file gets lost, and no line of it is taken for a request of troff.
func TestEveryKeyIsThere(t *testing.T) {
	page, keys := Configuration(conf.Reference, meta), Keys(conf.Reference)
	found := regexp.MustCompile(`(?m)^ *#?([a-z][a-z0-9_]*) *= `).FindAllStringSubmatch(conf.Reference, -1)
	if len(found) < 300 {
		t.Fatalf("%d keys", len(found))
	}
	for _, m := range found {
		if !strings.Contains(page, `\fB`+m[1]+`\fR`) || !strings.Contains(keys, "| `"+m[1]+"` |") {
			t.Errorf("%s is not on the pages", m[1])
		}
	}
	for line := range strings.Lines(page) {
		if name := strings.TrimPrefix(line, "."); name != line && !regexp.MustCompile(`^(TH|SH|SS|TP|PP|RS|RE|nf|fi)\b`).MatchString(name) {
			t.Errorf("a request of ours? %q", line)
		}
	}
}

func TestCommandPage(t *testing.T) {
	root := &cobra.Command{Use: "holdfast", Short: "a director", Long: "It does.\n\n    ip a\n\n.Dot."}
	root.PersistentFlags().StringP("config", "c", "", "configuration `file`")
	sub := &cobra.Command{Use: "drain SERVICE", Long: "Drain drains.", Run: func(*cobra.Command, []string) {}}
	sub.Flags().Bool("wait", false, "wait")
	hidden := &cobra.Command{Use: "unseen", Hidden: true, Run: sub.Run}
	root.AddCommand(sub, hidden)
	got := Command(root, meta)
	for _, want := range []string{
		".SH \"NAME\"\nholdfast - a director\n",
		"It does.\n.PP\n.RS \"4\"\n.nf\n    ip a\n.fi\n.RE\n.PP\n\\&.Dot.\n",
		".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIfile\\fR\nconfiguration file.\n",
		".SS \"drain SERVICE\"\nDrain drains.\n.TP\n\\fB\\-\\-wait\\fR\nwait.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "unseen") {
		t.Error("a hidden command is shown")
	}
}
