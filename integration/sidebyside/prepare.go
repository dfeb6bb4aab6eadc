package sidebyside

import (
	"crypto/md5"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// page is what every stand-in for a web server answers.
const page = "It works.\n"

var (
	// program is a path that a configuration names and that a package, or a person, puts
	// there: it becomes a path of the side with a recorder.
	program = regexp.MustCompile(`/(?:etc|usr/local)/[\w./-]+`)
	// repeated are the programs that are called again and again.
	repeated = regexp.MustCompile(`(?m)^\s*(?:@\S+\s+)?(?:script|misc_path)\s+"?(/[\w./-]+)`)
	digest   = regexp.MustCompile(`\bdigest\s+[0-9a-f]{32}`)
	pace     = regexp.MustCompile(`\bdelay_loop\s+\d+`)
	again    = regexp.MustCompile(`\bdelay_before_retry\s+\d+`)
)

// prepare returns the configuration of one side: with the programs in its folder, where
// they record how they are called, the digest of the page that the stand-ins have, and
// quick checks.
func (c Case) prepare(t *testing.T, dir string) string {
	text := strings.NewReplacer(c.Edit...).Replace(c.config(t))
	for _, path := range program.FindAllString(text, -1) {
		once := ""
		for _, r := range repeated.FindAllStringSubmatch(text, -1) {
			if r[1] == path {
				once = "grep -qxF \"$line\" '" + dir + "/calls' 2>/dev/null || "
			}
		}
		writeRecorder(t, dir, path, once)
	}
	text = program.ReplaceAllString(text, dir+"$0")
	sum := md5.Sum([]byte(page))
	text = digest.ReplaceAllString(text, "digest "+hex.EncodeToString(sum[:]))
	text = pace.ReplaceAllString(text, "delay_loop 3")
	return again.ReplaceAllString(text, "delay_before_retry 1")
}

// writeRecorder makes a program that appends its path and its arguments to the file
// calls. It fails as long as there is a file of its name and ".dead".
func writeRecorder(t *testing.T, dir, path, once string) {
	t.Helper()
	file := dir + path
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\nline='" + path + "'; for a; do line=\"$line <$a>\"; done\n" +
		once + "echo \"$line\" >>'" + dir + "/calls'\n[ ! -e '" + file + ".dead' ]\n"
	if err := os.WriteFile(file, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
}
