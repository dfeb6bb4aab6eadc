package track

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// fileEvents are the events after which a file may contain something else, or
// after which a directory has another path. A rewritten file is reported when
// its writer closes it, not at every write.
const fileEvents = unix.IN_CLOSE_WRITE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE | unix.IN_CREATE | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// A Watch reports when files change, or directories. It watches the directory of each file,
// because a program that replaces a file renames another one over it. A Watch
// only makes trackers react sooner: they look at intervals anyway. At each look
// it tries again to watch a directory that could not be watched.
//
// It uses inotify directly. fsnotify v1.10.1 does not export IN_CLOSE_WRITE and
// reports every write, the truncation by a writer that has not written yet
// included: a tracker would look at once and read an empty file.
type Watch struct {
	changed func(path string)
	reader  sync.WaitGroup

	mu      sync.Mutex
	inotify *os.File // nil until the first file, and after Close
	closed  bool
	want    map[string]bool  // the files to report
	whole   map[string]bool  // the directories to report
	dirs    map[int32]string // the watched directories, by watch descriptor
	failed  map[string]error // why other directories of want are not watched
}

// NewWatch returns a Watch without files. It calls changed with a path of
// [Watch.Set] or [Watch.SetDirs], from a goroutine of its own, when that file or
// directory may have changed.
func NewWatch(changed func(path string)) *Watch {
	return &Watch{changed: changed, dirs: map[int32]string{}, failed: map[string]error{}}
}

// Set replaces the watched files with paths.
func (w *Watch) Set(paths []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want = make(map[string]bool, len(paths))
	for _, p := range paths {
		w.want[filepath.Clean(p)] = true
	}
	w.update()
}

// SetDirs replaces the watched directories, of which a file that comes, goes or
// changes is reported.
func (w *Watch) SetDirs(dirs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.whole = make(map[string]bool, len(dirs))
	for _, dir := range dirs {
		w.whole[filepath.Clean(dir)] = true
	}
	w.update()
}

// update watches what is to be reported.
func (w *Watch) update() {
	dirs := maps.Clone(w.whole)
	if dirs == nil {
		dirs = map[string]bool{}
	}
	for p := range w.want {
		dirs[filepath.Dir(p)] = true
	}
	for wd, dir := range w.dirs {
		if !dirs[dir] {
			w.drop(wd)
		}
	}
	maps.DeleteFunc(w.failed, func(dir string, _ error) bool { return !dirs[dir] })
	for dir := range dirs {
		w.add(dir)
	}
}

// Add watches one more file.
func (w *Watch) Add(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.want == nil {
		w.want = map[string]bool{}
	}
	path = filepath.Clean(path)
	w.want[path] = true
	w.add(filepath.Dir(path))
}

// Remove ends the watch of one file.
func (w *Watch) Remove(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	path = filepath.Clean(path)
	delete(w.want, path)
	dir := filepath.Dir(path)
	for other := range w.want {
		if filepath.Dir(other) == dir {
			return
		}
	}
	delete(w.failed, dir)
	for wd, watched := range w.dirs {
		if watched == dir {
			w.drop(wd)
		}
	}
}

// Number returns the number in a watched file, or why there is none.
func (w *Watch) Number(path string) (n int, problem string) {
	w.Retry(filepath.Dir(path))
	return readNumber(path)
}

// Err returns why the file is not watched at the moment, or nil.
func (w *Watch) Err(path string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed[filepath.Dir(filepath.Clean(path))]
}

// Look returns the look of [File] for a path of [Watch.Set].
func (w *Watch) Look(path string, missing int) func(context.Context) Reading {
	look := File(path, missing)
	return func(ctx context.Context) Reading {
		w.Retry(filepath.Dir(path))
		return look(ctx)
	}
}

// Retry watches a directory if that failed before.
func (w *Watch) Retry(dir string) {
	dir = filepath.Clean(dir)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed[dir] != nil {
		w.add(dir)
	}
}

// add watches a directory, or notes why that failed.
func (w *Watch) add(dir string) {
	wd, err := w.inotifyAdd(dir)
	if err != nil {
		w.failed[dir] = fmt.Errorf("watch %s: %w", dir, err)
		return
	}
	delete(w.failed, dir)
	w.dirs[wd] = dir
}

func (w *Watch) inotifyAdd(dir string) (int32, error) {
	if err := w.open(); err != nil {
		return 0, err
	}
	var wd int
	var failed error
	err := w.control(func(fd int) { wd, failed = unix.InotifyAddWatch(fd, dir, fileEvents) })
	return int32(wd), errors.Join(err, failed)
}

// open opens inotify and starts to read, if that has not been done yet.
func (w *Watch) open() error {
	switch {
	case w.closed:
		return fs.ErrClosed
	case w.inotify != nil:
		return nil
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("open inotify: %w", err)
	}
	inotify := os.NewFile(uintptr(fd), "inotify")
	w.inotify = inotify
	w.reader.Go(func() { w.read(inotify) })
	return nil
}

// drop ends the watch of a directory.
func (w *Watch) drop(wd int32) {
	delete(w.dirs, wd)
	_ = w.control(func(fd int) { _, _ = unix.InotifyRmWatch(fd, uint32(wd)) }) // fails if the directory is gone
}

func (w *Watch) control(f func(fd int)) error {
	raw, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { f(int(fd)) })
}

// Close stops the watch and waits for its goroutine.
func (w *Watch) Close() {
	w.mu.Lock()
	inotify := w.inotify
	w.closed = true
	w.mu.Unlock()
	if inotify != nil {
		_ = inotify.Close() // nothing is written to it
	}
	w.reader.Wait()
}

func (w *Watch) read(inotify *os.File) {
	buf := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := inotify.Read(buf)
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
		dir, watched := w.dirs[e.wd]
		switch p := filepath.Join(dir, e.name); {
		case e.lost: // any file may have changed
			paths = slices.AppendSeq(paths, maps.Keys(w.want))
			paths = slices.AppendSeq(paths, maps.Keys(w.whole))
		case !watched:
		case e.gone:
			w.drop(e.wd)
			w.failed[dir] = fmt.Errorf("watch %s: %w", dir, errGone)
			for p := range w.want {
				if filepath.Dir(p) == dir {
					paths = append(paths, p)
				}
			}
			if w.whole[dir] {
				paths = append(paths, dir)
			}
		case w.want[p]:
			paths = append(paths, p)
		}
		if watched && !e.gone && w.whole[dir] {
			paths = append(paths, dir)
		}
	}
	return paths
}

// errGone is why a directory is not watched any more.
var errGone = errors.New("the directory was removed or renamed")
