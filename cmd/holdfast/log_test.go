package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/conf"
)

func TestJournalFormat(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newLogHandler(&out, logJournal, slog.LevelDebug))
	log.Info("up", "level", "kept", "err", errors.New("two\nlines"))
	log.With("vr", "outside").WithGroup("g").Warn("late", "time", 3)
	log.Error("bad")
	log.Debug("detail")
	want := `<6>msg=up level=kept err="two\nlines"
<4>msg=late vr=outside g.time=3
<3>msg=bad
<7>msg=detail
`
	if got := out.String(); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestLevel(t *testing.T) {
	for _, format := range logFormats {
		var out bytes.Buffer
		level := new(slog.LevelVar)
		log := slog.New(newLogHandler(&out, format, level))
		log.Debug("no")
		level.Set(slog.LevelDebug)
		log.Debug("yes")
		if strings.Contains(out.String(), "no") || strings.Count(out.String(), "yes") != 1 {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

// What libraries print is told at the level debug alone.
func TestLibrariesAreQuiet(t *testing.T) {
	t.Cleanup(func() { stdlog.SetOutput(os.Stderr); stdlog.SetFlags(stdlog.LstdFlags) })
	var out bytes.Buffer
	level := new(slog.LevelVar)
	quietLibraries(slog.New(newLogHandler(&out, logJournal, level)))
	stdlog.Print("an unexpected frame")
	level.Set(slog.LevelDebug)
	stdlog.Print("another one")
	if got, want := out.String(), "<7>msg=\"another one\"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormatIsChosen(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		t.Fatal(err)
	}
	master, terminal := openTerminal(t)
	defer master.Close()
	defer terminal.Close()
	screen := bufio.NewReader(master)
	ours := fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	tests := []struct {
		name   string
		to     *os.File
		stream string
		format conf.LogFormat
		want   string
	}{
		{"a file", file, "", conf.LogAuto, `^\{"time":`},
		{"the journal", file, ours, conf.LogAuto, `^<6>msg=hello`},
		{"a journal that is elsewhere", file, "1:" + ours, conf.LogAuto, `^\{"time":`},
		{"a terminal", terminal, "", conf.LogAuto, `^time=\S+ level=INFO msg=hello`},
		{"text asked for", file, ours, conf.LogText, `^time=\S+ level=INFO msg=hello`},
		{"JSON asked for", terminal, "", conf.LogJSON, `^\{"time":`},
		{"journal asked for", file, "", logJournal, `^<6>msg=hello`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("JOURNAL_STREAM", test.stream)
			if err := file.Truncate(0); err != nil {
				t.Fatal(err)
			}
			if _, err := file.Seek(0, 0); err != nil {
				t.Fatal(err)
			}
			slog.New(newLogHandler(test.to, test.format, slog.LevelInfo)).Info("hello")
			var line string
			var err error
			if test.to == terminal {
				line, err = screen.ReadString('\n') // a terminal gives a line in pieces
			} else {
				var b []byte
				b, err = os.ReadFile(file.Name())
				line = string(b)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(test.want).MatchString(line) {
				t.Errorf("%s, want %s", line, test.want)
			}
		})
	}
}

// openTerminal returns both ends of a new pseudo terminal.
func openTerminal(t *testing.T) (master, terminal *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, terminal
}

func TestLogFlags(t *testing.T) {
	o, err := parseLogFlags("warn", "journal")
	if err != nil || *o.level != slog.LevelWarn || *o.format != logJournal {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err = parseLogFlags("", ""); err != nil || o.level != nil || o.format != nil {
		t.Errorf("%+v, %v", o, err)
	}
	_, err = parseLogFlags("info+2", "xml")
	want := "--log-level must be debug, info, warn or error, not \"info+2\"\n--log-format must be auto, text, json or journal, not \"xml\""
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
