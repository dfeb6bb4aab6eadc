package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
)

const (
	// fullWait is how long a full pipe is waited for before that is an error.
	fullWait = time.Second
	// emptyWait is how long, at the end, a reader may take to read the rest.
	emptyWait = time.Second
	// pipeLook is the time between two looks at what is left to read.
	pipeLook = 10 * time.Millisecond
)

// errFull is the error of a pipe that takes nothing.
var errFull = errors.New("the pipe is full: nobody reads it, or not fast enough")

// FIFOOptions are a named pipe and what is written to it.
type FIFOOptions struct {
	Path string
	// User and Group own a pipe that is made; "" is the daemon's.
	User, Group string
	JSON        bool // the events' JSON form; otherwise keepalived's lines
	// Reader is a program that reads the pipe, whose path is its last argument.
	// It is kept running. nil: there is none.
	Reader *program.Program
	// Restarted is called when Reader was started again after it had ended. It is
	// called outside of Deliver and must not block. It may be nil.
	Restarted func()
	Director  string
	Log       *slog.Logger
}

// A FIFO writes events to a named pipe, one on a line. The pipe is made with
// mode 600; one that is there is used as it is, and left where it is at the end,
// so that a reader outlives a restart.
type FIFO struct {
	o      FIFOOptions
	file   *os.File // nil: not open
	rest   []byte   // of a line that did not go in whole
	reader *reader  // nil: does not run
}

// NewFIFO returns a transport; the pipe is made when it prepares.
func NewFIFO(o FIFOOptions) *FIFO { return &FIFO{o: o} }

// Deliver implements Transport.
func (f *FIFO) Deliver(ctx context.Context, events []event.Event) (int, error) {
	if err := f.open(); err != nil {
		return 0, err
	}
	file := f.file // the function may run after Deliver
	defer context.AfterFunc(ctx, func() { _ = file.SetWriteDeadline(time.Now()) })()
	if err := f.write(ctx, f.rest); err != nil {
		return 0, err
	}
	for i := range events {
		line, err := f.line(&events[i])
		if err != nil {
			return i, &Refused{Err: err}
		}
		if len(line) == 0 {
			continue
		}
		err = f.write(ctx, append(line[:len(line):len(line)], '\n'))
		if err != nil && len(f.rest) > 0 {
			return i + 1, err // it is on its way
		}
		if err != nil {
			return i, err
		}
	}
	return len(events), nil
}

// line returns what is written for an event, nil for nothing.
func (f *FIFO) line(e *event.Event) ([]byte, error) {
	if !f.o.JSON {
		return []byte(Line(e)), nil
	}
	line, err := e.JSON()
	if err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	return line, nil
}

// write writes a line. If only a part of it went in, the remainder is kept.
func (f *FIFO) write(ctx context.Context, line []byte) error {
	if len(line) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	partial := len(f.rest) > 0
	if err := f.file.SetWriteDeadline(time.Now().Add(fullWait)); err != nil {
		return err
	}
	n, err := f.file.Write(line)
	switch {
	case err == nil:
		f.rest = nil
	case n > 0 || partial:
		f.rest = line[n:]
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return cmp.Or(ctx.Err(), errFull)
	}
	if err != nil {
		f.shut()
	}
	return err
}

// open opens the pipe, and makes it if it is not there, or not any more.
func (f *FIFO) open() error {
	if f.file != nil && !f.moved() {
		return nil
	}
	f.shut()
	if err := f.make(); err != nil {
		return err
	}
	// For reading too: then it opens without a reader, and holds what was
	// written until the next one comes.
	file, err := os.OpenFile(f.o.Path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("open the pipe: %w", err)
	}
	if info, err := file.Stat(); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return errors.Join(err, file.Close(), fmt.Errorf("%s is not a pipe", f.o.Path))
	}
	f.file = file
	if f.o.Reader != nil && f.reader == nil {
		f.reader = startReader(f.o)
	}
	return nil
}

// make makes the pipe if there is nothing of its name.
func (f *FIFO) make() error {
	uid, gid, err := program.Owner(f.o.User, f.o.Group)
	if err != nil {
		return err
	}
	err = unix.Mkfifo(f.o.Path, 0o600)
	if errors.Is(err, unix.EEXIST) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the pipe %s: %w", f.o.Path, err)
	}
	if err := os.Lchown(f.o.Path, uid, gid); err != nil {
		return errors.Join(fmt.Errorf("give the pipe to its owner: %w", err), os.Remove(f.o.Path))
	}
	return nil
}

// moved reports whether the path is not that of the open pipe any more.
func (f *FIFO) moved() bool {
	there, err := os.Lstat(f.o.Path)
	if err != nil {
		return true
	}
	open, err := f.file.Stat()
	return err != nil || !os.SameFile(there, open)
}

func (f *FIFO) shut() {
	if f.file != nil {
		_ = f.file.Close() // what went in stays in as long as a reader has it open
		f.file, f.rest = nil, nil
	}
}

// Close implements Transport: the reader is given a moment to read what is left
// in the pipe, and to end when it sees the end of it.
func (f *FIFO) Close() {
	if f.reader != nil {
		f.reader.retire()
		f.awaitEmpty()
	}
	f.shut()
	if f.reader != nil {
		f.reader.stop()
		f.reader = nil
	}
}

// awaitEmpty returns when all has been read, or nobody seems to.
func (f *FIFO) awaitEmpty() {
	for end := time.Now().Add(emptyWait); f.file != nil && time.Now().Before(end); time.Sleep(pipeLook) {
		left := 0
		raw, err := f.file.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { left, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		}
		if err != nil || left == 0 {
			return
		}
	}
}
