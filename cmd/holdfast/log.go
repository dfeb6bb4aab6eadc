package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"holdfast/conf"
)

// logJournal is text for systemd's journal: each line begins with its syslog
// priority and has no time, because the journal adds its own.
const logJournal conf.LogFormat = "journal"

// logFormats are the values of --log-format.
var logFormats = []conf.LogFormat{conf.LogAuto, conf.LogText, conf.LogJSON, logJournal}

// newLogHandler returns a handler that writes to w in the format. LogAuto selects
// logJournal if w is connected to systemd's journal, text on a terminal, and JSON
// otherwise.
func newLogHandler(w io.Writer, format conf.LogFormat, level slog.Leveler) slog.Handler {
	if format == conf.LogAuto {
		switch {
		case isJournal(w, os.Getenv("JOURNAL_STREAM")):
			format = logJournal
		case isTerminal(w):
			format = conf.LogText
		default:
			format = conf.LogJSON
		}
	}
	options := &slog.HandlerOptions{Level: level}
	switch format {
	case logJournal:
		return newJournalHandler(w, options)
	case conf.LogText:
		return slog.NewTextHandler(w, options)
	}
	return slog.NewJSONHandler(w, options)
}

// A journalHandler is a text handler that puts a priority such as "<6>" before each
// line (sd-daemon(3)). It writes to w rather than to journald's socket, as
// go-systemd's journal.Send does: --log-format journal works on any pipe,
// and log lines keep their order with whatever else goes to stderr, such as a panic.
type journalHandler struct {
	slog.Handler // writes to out.line
	out          *journalOutput
}

type journalOutput struct {
	mu   sync.Mutex
	line bytes.Buffer
	to   io.Writer
}

func newJournalHandler(w io.Writer, options *slog.HandlerOptions) slog.Handler {
	out := &journalOutput{to: w}
	text := slog.NewTextHandler(&out.line, &slog.HandlerOptions{
		Level: options.Level,
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			// A message may have attributes with the same names; keep those.
			_, isLevel := a.Value.Any().(slog.Level)
			isTime := a.Value.Kind() == slog.KindTime
			if len(groups) == 0 && (a.Key == slog.TimeKey && isTime || a.Key == slog.LevelKey && isLevel) {
				return slog.Attr{}
			}
			return a
		},
	})
	return journalHandler{text, out}
}

// Handle writes one line.
func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(&h.out.line, "<%d>", syslogPriority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.to.Write(h.out.line.Bytes())
	return err
}

// WithAttrs returns a handler with the attributes, on the same output.
func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup returns a handler with the group, on the same output.
func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.out}
}

// syslogPriority returns the severity for a level (RFC 5424 §6.2.1).
func syslogPriority(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return 3
	case level >= slog.LevelWarn:
		return 4
	case level >= slog.LevelInfo:
		return 6
	}
	return 7
}

// isJournal reports whether systemd connected w to the journal: then stream, the
// value of JOURNAL_STREAM, is w's device and inode (systemd.exec(5)). The variable
// alone proves nothing, because children inherit it.
func isJournal(w io.Writer, stream string) bool {
	file, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	var stat unix.Stat_t
	if err := unix.Fstat(int(file.Fd()), &stat); err != nil {
		return false
	}
	return stream == fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

// parseLevel reads debug, info, warn or error.
func parseLevel(text string) (slog.Level, error) {
	var level slog.Level
	switch strings.ToLower(text) {
	case "debug", "info", "warn", "error":
		return level, level.UnmarshalText([]byte(text))
	}
	return 0, fmt.Errorf("--log-level must be debug, info, warn or error, not %q", text)
}

// parseFormat reads one of logFormats.
func parseFormat(text string) (conf.LogFormat, error) {
	for _, format := range logFormats {
		if text == string(format) {
			return format, nil
		}
	}
	return "", fmt.Errorf("--log-format must be auto, text, json or journal, not %q", text)
}
