package track

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// fileEvents are the events after which a file may contain something else. A
// rewritten file is reported when its writer closes it, not at every write.
const fileEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_ONLYDIR

// A Watch reports when files change. It watches the directory of each file,
// because a program that replaces a file renames another one over it. A Watch
// only makes trackers react sooner: they look at intervals anyway.
//
// It uses inotify directly. fsnotify v1.10.1 does not export IN_CLOSE_WRITE and
// reports every write, the truncation by a writer that has not written yet
// included: a tracker would look at once and read an empty file.
type Watch struct {
	inotify *os.File
	changed func(path string)
	reader  sync.WaitGroup

	mu   sync.Mutex
	dirs map[int32]string // the watched directories, by watch descriptor
	want map[string]bool  // the paths to report
}

// NewWatch returns a Watch without files. It calls changed with a path of
// [Watch.Set], from a goroutine of its own, when that file has changed.
func NewWatch(changed func(path string)) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch files: %w", err)
	}
	w := &Watch{inotify: os.NewFile(uintptr(fd), "inotify"), changed: changed, dirs: map[int32]string{}}
	w.reader.Go(w.read)
	return w, nil
}

// Set replaces the watched files with paths. It returns an error if a directory
// cannot be watched, and watches the others nevertheless.
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

// Close stops the watch and waits for its goroutine.
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

// changes returns the watched paths that may have changed.
func (w *Watch) changes(events []byte) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var paths []string
	for _, e := range parseEvents(events) {
		if e.lost { // any file may have changed
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
