package convert

import (
	"testing"
)

// A comment of the old file may have what a TOML file must not.
func TestCommentIsTOML(t *testing.T) {
	var w writer
	w.write([]string{"a\x00b\x7f\tc\xff \r"})
	if got, want := w.out.String(), "# a\uFFFDb\uFFFD\tc\uFFFD \uFFFD\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
