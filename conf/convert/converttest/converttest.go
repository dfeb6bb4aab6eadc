// Package converttest has what the tests of converters share.
package converttest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/conf"
	"holdfast/conf/convert"
	"holdfast/integration/tools/golden"
)

// A Converter converts files.
type Converter func(convert.Input, *convert.Report) *convert.Result

// Run converts one file on a machine called lvs1, without a resolver, and checks
// that the result is a valid configuration without secrets. It returns "" if
// nothing could be converted.
func Run(t *testing.T, c Converter, files ...convert.File) (toml string, report convert.Report) {
	t.Helper()
	result := c(convert.Input{Files: files, Host: "lvs1.example.org", Dir: "/etc/holdfast"}, &report)
	if result == nil {
		return "", report
	}
	toml = result.TOML()
	secret := func(path string) ([]byte, error) {
		for _, s := range result.Secrets {
			if s.Path == path {
				return s.Content, nil
			}
		}
		return os.ReadFile(path)
	}
	if _, _, err := conf.ParseDraft("converted.toml", []byte(toml), secret); err != nil {
		t.Errorf("the result is not valid: %v\n%s", err, toml)
	}
	for _, s := range result.Secrets {
		if strings.Contains(toml, strings.TrimSpace(string(s.Content))) || strings.Contains(report.String(), strings.TrimSpace(string(s.Content))) {
			t.Errorf("the secret of %s is in the output", s.Path)
		}
	}
	return toml, report
}

// Golden converts each file that matches a pattern. Beside FILE.cf it expects the
// result in FILE.toml and the report in FILE.report.
func Golden(t *testing.T, c Converter, pattern string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files match %s, %v", len(paths), pattern, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			toml, report := Run(t, c, convert.File{Name: filepath.Base(path), Text: string(text)})
			base := strings.TrimSuffix(path, filepath.Ext(path))
			golden.Compare(t, base+".toml", toml)
			golden.Compare(t, base+".report", report.String())
		})
	}
}
