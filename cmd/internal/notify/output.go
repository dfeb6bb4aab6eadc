package notify

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"time"
)

// Limits on the logged output of one run: a script in an endless loop must not
// fill the journal. The rest is read and discarded, so that the script does not
// block on a full pipe.
const (
	maxOutputLines = 64
	maxOutputLine  = 1024
)

// An outputLog is how far the output of a script is logged.
type outputLog struct {
	Lines int    `json:"lines,omitempty"` // logged
	Begun []byte `json:"begun,omitempty"` // of a line whose end was not read yet; up to maxOutputLine
	Cut   int    `json:"cut,omitempty"`   // bytes that were discarded
}

// An output logs what comes out of a pipe line by line, in a goroutine of its own.
type output struct {
	pipe *os.File
	log  *slog.Logger
	outputLog
	done chan struct{} // closed when nothing is read any more; nil before begin
}

// begin begins to read, or goes on after pause, until the pipe ends or is closed. The
// caller must call finish or pause.
func (o *output) begin() {
	_ = o.pipe.SetReadDeadline(time.Time{})
	o.done = make(chan struct{})
	go o.read()
}

// pause stops to read. The outputLog is then what begin goes on with.
func (o *output) pause() {
	_ = o.pipe.SetReadDeadline(time.Now())
	<-o.done
}

// finish waits for the end of the output for as long as late is not ready, and closes the
// pipe.
func (o *output) finish(late func(time.Duration) <-chan time.Time) {
	select {
	case <-o.done:
	case <-late(outputLag):
	}
	o.pipe.Close()
	<-o.done
}

func (o *output) read() {
	defer close(o.done)
	buffer := make([]byte, maxOutputLine)
	for {
		begun := copy(buffer, o.Begun)
		n, err := o.pipe.Read(buffer[begun:])
		o.take(buffer[:begun+n])
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			o.end()
			return
		}
	}
}

// take logs the lines in a text, and keeps what has no end yet. A line longer than
// maxOutputLine is logged in several records.
func (o *output) take(text []byte) {
	for {
		end := bytes.IndexByte(text, '\n') + 1
		if end == 0 && len(text) < maxOutputLine {
			break
		}
		if end == 0 {
			end = len(text)
		}
		o.say(text[:end])
		text = text[end:]
	}
	o.Begun = bytes.Clone(text)
}

// say logs a line, unless there were too many.
func (o *output) say(line []byte) {
	if o.Lines >= maxOutputLines {
		o.Cut += len(line)
		return
	}
	o.Lines++
	o.log.LogAttrs(context.Background(), slog.LevelInfo, "script output", slog.String("line", oneLine(trimNewline(line))))
}

// end logs a last line that has no end.
func (o *output) end() {
	if len(o.Begun) > 0 {
		o.say(o.Begun)
	}
	if o.Cut > 0 {
		o.log.Warn("script output cut off", "bytes", o.Cut)
	}
}

func trimNewline(line []byte) string {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	return string(line)
}
