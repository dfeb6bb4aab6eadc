package notify

import (
	"bufio"
	"errors"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
)

const (
	readerPauseMin = time.Second // after a reader that ended; it doubles
	readerPauseMax = time.Minute
	readerSteady   = time.Minute     // a reader that ran for so long was well
	readerEnd      = time.Second     // to see the end of the pipe, and again to heed SIGTERM
	chatterWindow  = 1 * time.Minute // for maxOutputLines lines of a reader's output
)

// A reader is a program that reads a pipe. It is started again when it ends, and
// dies with the daemon.
type reader struct {
	o    FIFOOptions
	done chan struct{}

	stopping chan struct{} // closed: it is not started again
	once     sync.Once

	mu  sync.Mutex
	run *program.Process // nil while it does not run
}

func startReader(o FIFOOptions) *reader {
	r := &reader{o: o, done: make(chan struct{}), stopping: make(chan struct{})}
	go r.keep()
	return r
}

// retire has the program not started again when it ends.
func (r *reader) retire() { r.once.Do(func() { close(r.stopping) }) }

// keep keeps the program running. The kernel kills the program when this thread
// ends, which it does with the daemon.
func (r *reader) keep() {
	runtime.LockOSThread()
	defer close(r.done)
	log := r.o.Log.With("reader", r.o.Reader.Argv[0])
	started := func() {}
	for pause := readerPauseMin; ; pause = min(2*pause, readerPauseMax) {
		begun := time.Now()
		err := r.runOnce(log, started)
		if r.o.Restarted != nil {
			started = r.o.Restarted
		}
		ran := time.Since(begun)
		select {
		case <-r.stopping:
			return
		default:
		}
		if ran >= readerSteady {
			pause = readerPauseMin
		}
		log.Error("the reader of the pipe has ended", "err", err, "after", ran.Round(time.Millisecond), "again_in", pause)
		select {
		case <-time.After(pause):
		case <-r.stopping:
			return
		}
	}
}

// runOnce runs the program once, and calls started when it runs.
func (r *reader) runOnce(log *slog.Logger, started func()) error {
	if err := r.o.Reader.Check(); err != nil {
		return err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	env := []string{"PATH=" + program.Path, "LANG=C.UTF-8", "HOLDFAST_DIRECTOR=" + r.o.Director, "HOLDFAST_FIFO=" + r.o.Path}
	run, err := r.o.Reader.Start(env, write, true, r.o.Path)
	_ = write.Close()
	if err != nil {
		return errors.Join(err, read.Close())
	}
	go logSteadily(read, log)
	r.mu.Lock()
	r.run = run
	r.mu.Unlock()
	started()
	<-run.Exited()
	r.mu.Lock()
	r.run = nil
	r.mu.Unlock()
	run.Signal(unix.SIGKILL) // what it left running would read beside the next one
	if _, err := run.Wait(); err != nil {
		return err
	}
	return errors.New("exit status 0")
}

// stop ends the program: by itself, since its pipe has ended; or by force.
func (r *reader) stop() {
	r.retire()
	for _, signal := range []unix.Signal{unix.SIGTERM, unix.SIGKILL} {
		select {
		case <-r.done:
			return
		case <-time.After(readerEnd):
			r.signal(signal)
		}
	}
	<-r.done
}

func (r *reader) signal(s unix.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run != nil {
		r.run.Signal(s)
	}
}

// logSteadily logs what a program says that runs for long, line by line, up to
// maxOutputLines in each chatterWindow.
func logSteadily(from *os.File, log *slog.Logger) {
	defer from.Close()
	lines := bufio.NewReaderSize(from, maxOutputLine)
	begun, count := time.Now(), 0
	for {
		line, err := lines.ReadSlice('\n')
		if now := time.Now(); now.Sub(begun) > chatterWindow {
			begun, count = now, 0
		}
		if count++; len(line) > 0 && count <= maxOutputLines {
			log.Info("reader output", "line", oneLine(trimNewline(line)))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !errors.Is(err, io.EOF) {
				log.Warn("cannot read the reader's output", "err", err)
			}
			return
		}
	}
}
