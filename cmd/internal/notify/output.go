package notify

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
)

// Limits on the logged output of one run: a script in an endless loop must not
// fill the journal. The rest is read and discarded, so that the script does not
// block on a full pipe.
const (
	maxOutputLines = 64
	maxOutputLine  = 1024
)

// logLines logs what it reads from r line by line until r ends or is closed.
func logLines(r io.Reader, log *slog.Logger) {
	buffered := bufio.NewReaderSize(r, maxOutputLine)
	for lines := 0; lines < maxOutputLines; {
		line, err := buffered.ReadSlice('\n')
		if len(line) > 0 {
			lines++
			log.LogAttrs(context.Background(), slog.LevelInfo, "script output", slog.String("line", oneLine(trimNewline(line))))
		}
		// A line longer than the buffer is logged in several records.
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
	if rest, _ := io.Copy(io.Discard, buffered); rest > 0 {
		log.Warn("script output cut off", "bytes", rest)
	}
}

func trimNewline(line []byte) string {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return string(line)
}
