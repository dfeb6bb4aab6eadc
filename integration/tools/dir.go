package tools

import (
	"os"
	"path/filepath"
	"testing"
)

// Dir returns a temporary directory that nobody else can write, whatever the umask is.
// Only from such a directory does holdfast run programs.
func Dir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
