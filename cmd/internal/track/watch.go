package track

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// fileEvents are those after which a file may say something else: written,
// moved here or away, deleted, made.
const fileEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_ONLYDIR

// A Watch tells when files change, by inotify. It watches the directory of
// each: a file that is replaced is another one with the same name. It makes
// trackers quick; that nothing is missed is left to their intervals.
type Watch struct {
	inotify *os.File
	changed func(path string)
	reader  sync.WaitGroup

	mu   sync.Mutex
	dirs map[int32]string // by watch
	want map[string]bool  // paths
}

// NewWatch returns a Watch without files. changed is called from another
// goroutine.
func NewWatch(changed func(path string)) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &Watch{inotify: os.NewFile(uintptr(fd), "inotify"), changed: changed, dirs: map[int32]string{}}
	w.reader.Go(w.read)
	return w, nil
}

// Set makes the watched files those of paths. A directory that is not there is
// an error, and the others are watched.
func (w *Watch) Set(paths []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want = make(map[string]bool, len(paths))
	fresh := map[int32]string{}
	var failed error
	for _, p := range paths {
		p = filepath.Clean(p)
		w.want[p] = true
		dir := filepath.Dir(p)
		wd, err := w.add(dir)
		if err != nil {
			failed = fmt.Errorf("watch %s: %w", dir, err)
			continue
		}
		fresh[int32(wd)] = dir
	}
	for wd := range w.dirs {
		if _, still := fresh[wd]; !still {
			w.drop(wd)
		}
	}
	w.dirs = fresh
	return failed
}

func (w *Watch) add(dir string) (wd int, err error) {
	e := w.control(func(fd int) { wd, err = unix.InotifyAddWatch(fd, dir, fileEvents) })
	if e != nil {
		return 0, e
	}
	return wd, err
}

func (w *Watch) drop(wd int32) {
	_ = w.control(func(fd int) { _, _ = unix.InotifyRmWatch(fd, uint32(wd)) })
}

func (w *Watch) control(f func(fd int)) error {
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// Close ends the watch.
func (w *Watch) Close() error {
	err := w.inotify.Close()
	w.reader.Wait()
	return err
}

func (w *Watch) read() {
	buf := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := w.inotify.Read(buf)
		if err != nil {
			return // closed
		}
		for _, path := range w.changes(buf[:n]) {
			w.changed(path)
		}
	}
}

// changes returns the watched paths that a series of events concerns.
func (w *Watch) changes(events []byte) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var paths []string
	for _, e := range parseEvents(events) {
		if e.lost { // the queue overflowed: any of them may have changed
			for p := range w.want {
				paths = append(paths, p)
			}
			continue
		}
		if p := filepath.Join(w.dirs[e.wd], e.name); w.want[p] {
			paths = append(paths, p)
		}
	}
	return paths
}
