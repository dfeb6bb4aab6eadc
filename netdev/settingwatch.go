package netdev

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchDelay is how long nothing more must have come to be watched before
	// what came is, and watchLimit the longest wait. Who makes a thousand devices
	// has better to do first.
	watchDelay = 300 * time.Millisecond
	watchLimit = 2 * time.Second
	// hearPause lets what is written without pause come together, so that we
	// have less to do than the writer.
	hearPause = time.Millisecond
	// watchShare is the part of the process's open files that may be directories
	// of settings; checks and scripts need some too.
	watchShare = 4
)

// A settingWatch hears of writes to settings that we hold. The kernel tells of
// them as of writes to any file, unless they come by netlink or through another
// mount of /proc.
//
// A directory of /proc/sys is made when it is looked up, and is the one that the
// next one looks up only as long as somebody has it open.
type settingWatch struct {
	log     *slog.Logger
	inotify *os.File
	queue   int            // inotify's descriptor
	roots   map[string]int // the directory of interfaces' directories, by family
	limit   int            // of directories that are open
	wake    chan struct{}  // holds a token while directories wait
	ending  sync.Once

	mu      sync.Mutex
	ended   bool
	dirs    map[confDir]*heldDir
	heard   map[int32]*heldDir // by watch: those that are open
	waiting []*heldDir
	pass    int32
	told    Concern // since the last pass began
	short   bool    // not every directory could be watched
	said    bool    // that this was so
}

// WatchSettings returns a function that calls told, until ctx is done, when
// somebody has written to a sysctl what is not as it should be. It says so once,
// and again when Reconcile has begun to look since. The sysctls are those of
// the network namespace of the calling thread.
func (h *Host) WatchSettings(log *slog.Logger) (run func(ctx context.Context, told func(Concern)), err error) {
	w, err := openSettingWatch(log)
	if err != nil {
		return nil, fmt.Errorf("watch sysctls: %w", err)
	}
	h.settings.Store(w)
	return func(ctx context.Context, told func(Concern)) {
		w.run(ctx, told)
		h.settings.CompareAndSwap(w, nil)
	}, nil
}

func openSettingWatch(log *slog.Logger) (*settingWatch, error) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("ask for the number of open files: %w", err)
	}
	queue, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, usedUp(err, unix.EMFILE, "fs.inotify.max_user_instances")
	}
	w := &settingWatch{
		log: log, inotify: os.NewFile(uintptr(queue), "inotify"), queue: queue, roots: map[string]int{},
		limit: int(min(files.Cur/watchShare, 1<<20)), wake: make(chan struct{}, 1),
		dirs: map[confDir]*heldDir{}, heard: map[int32]*heldDir{},
	}
	for dir, names := range commonSettings() {
		if err := w.openRoot(dir.family()); err != nil {
			w.close()
			return nil, err
		}
		w.hold(dir, &holding{common: names})
	}
	return w, nil
}

func (w *settingWatch) openRoot(family string) error {
	if _, open := w.roots[family]; open {
		return nil
	}
	fd, err := openDir(unix.AT_FDCWD, sysctlRoot+"/"+family+"/conf")
	if err == nil {
		w.roots[family] = fd
	}
	return err
}

func openDir(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// usedUp says which sysctl's limit an error is about.
func usedUp(err, of error, limit string) error {
	if errors.Is(err, of) {
		return fmt.Errorf("%s is used up (%w)", limit, err)
	}
	return err
}

func (w *settingWatch) run(ctx context.Context, told func(Concern)) {
	stop := context.AfterFunc(ctx, w.close)
	defer w.close() // and wait for it
	defer stop()
	var keeper sync.WaitGroup
	keeper.Go(func() { w.keep(ctx, told) })
	defer keeper.Wait()
	buf := make([]byte, 16<<10)
	for {
		n, err := w.inotify.Read(buf)
		if err != nil {
			if ctx.Err() == nil {
				w.log.Warn("sysctls that somebody turns back are found in intervals only", "err", err)
			}
			return
		}
		if c := w.judge(buf[:n]); c != Nothing {
			told(c)
		}
		time.Sleep(hearPause)
	}
}

// close ends all watches. The kernel may take a quarter of a second for it.
func (w *settingWatch) close() {
	w.ending.Do(func() {
		w.mu.Lock()
		w.ended = true
		for _, d := range w.heard {
			unix.Close(int(d.fd))
		}
		for _, fd := range w.roots {
			unix.Close(fd)
		}
		w.mu.Unlock()
		_ = w.inotify.Close() // it was only read
	})
}

// judge says what a series of events (inotify(7)) means, unless that was said
// since the last look.
func (w *settingWatch) judge(events []byte) Concern {
	w.mu.Lock()
	defer w.mu.Unlock()
	worst := w.told
	for len(events) >= unix.SizeofInotifyEvent && worst != Damage && !w.ended {
		watch, mask := int32(binary.NativeEndian.Uint32(events)), binary.NativeEndian.Uint32(events[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
		if size > len(events) {
			break
		}
		name, _, _ := bytes.Cut(events[unix.SizeofInotifyEvent:size], []byte{0})
		events = events[size:]
		if mask&unix.IN_Q_OVERFLOW != 0 {
			worst = max(worst, Suspicion)
		}
		if d := w.heard[watch]; d != nil && mask&unix.IN_MODIFY != 0 {
			worst = max(worst, d.concern(string(name)))
		}
	}
	if worst == w.told {
		return Nothing
	}
	w.told = worst
	return worst
}

// begin notes that everything is looked at from now on.
func (w *settingWatch) begin() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pass++
	w.told = Nothing
	if !w.short {
		return
	}
	w.short = false
	for _, d := range w.dirs {
		if d.fd < 0 {
			w.wait(d)
		}
	}
}

// end lets go of the directories that were not held since begin, but for those
// of names that keep wants.
func (w *settingWatch) end(keep func(name string) bool) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for c, d := range w.dirs {
		if d.pass != w.pass && d.common == nil && !keep(d.name) {
			w.leave(d)
			delete(w.dirs, c)
		}
	}
}

// hold notes what settings have to be in a directory from now on.
func (w *settingWatch) hold(dir confDir, what *holding) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	d := w.dirs[dir]
	switch {
	case d == nil:
		d = &heldDir{confDir: dir, fd: -1}
		w.dirs[dir] = d
		w.wait(d)
	case d.pass != w.pass:
	case what.settings == nil: // who looks at some devices says nothing of the others
		what = &holding{settings: d.settings, wants: what.wants}
	case what.wants == nil && d.wants != nil:
		what = &holding{settings: what.settings, wants: d.wants}
	}
	d.pass, d.holding = w.pass, what
}

// doubt has the directories of an interface watched anew if others have taken
// their place, and reports whether there are any.
func (w *settingWatch) doubt(name string, index int) (held bool) {
	if w == nil {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for family := range w.roots {
		if d := w.dirs[confDirOf(family, name, index)]; d != nil {
			held = true
			w.wait(d)
		}
	}
	return held
}

// heed takes in an event, and reports whether an interface has another name
// than settings are held under. With its name its directories are others, also
// when it has got its old name back.
func (w *settingWatch) heed(e Event) (moved bool) {
	switch {
	case w == nil:
	case e.Kind == Resync:
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, d := range w.dirs {
			w.wait(d)
		}
	case e.Kind == LinkChanged && e.Was != "":
		moved = w.doubt(e.Was, e.Index)
		w.doubt(e.Name, e.Index)
	case e.Kind == LinkChanged && !e.Present:
		w.doubt(e.Name, e.Index)
	}
	return moved
}

// wait puts a directory in line to be watched. w.mu is held.
func (w *settingWatch) wait(d *heldDir) {
	if d.waits {
		return
	}
	d.waits = true
	w.waiting = append(w.waiting, d)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// keep watches what waits for it.
func (w *settingWatch) keep(ctx context.Context, told func(Concern)) {
	for w.awaitAll(ctx) {
		if w.watchWaiting() {
			told(Suspicion) // somebody may have been quicker
		}
	}
}

// awaitAll waits until directories wait and no more come; it returns false when
// ctx is done.
func (w *settingWatch) awaitAll(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-w.wake:
	}
	limit := time.After(watchLimit)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-w.wake:
		case <-time.After(watchDelay):
			return true
		case <-limit:
			return true
		}
	}
}

// watchWaiting watches what waits, and reports whether that was anything new.
// Where one directory cannot be watched the others wait for the next look.
func (w *settingWatch) watchWaiting() (anew bool) {
	for {
		d := w.next()
		if d == nil {
			return anew
		}
		fresh, err := w.rewatch(d)
		if err != nil {
			w.giveUp(err)
		}
		anew = anew || fresh
	}
}

// next takes a directory from the line; nil: there is none.
func (w *settingWatch) next() *heldDir {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 || w.ended {
		return nil
	}
	d := w.waiting[0]
	w.waiting = w.waiting[1:]
	d.waits = false
	return d
}

// giveUp empties the line until the next look, and says why, once.
func (w *settingWatch) giveUp(err error) {
	w.mu.Lock()
	for _, d := range w.waiting {
		d.waits = false
	}
	w.waiting = nil
	said := w.said
	w.short, w.said = true, true
	w.mu.Unlock()
	if !said {
		w.log.Warn("some sysctls that somebody turns back are found in intervals only: not all can be watched", "err", err)
	}
}

// rewatch watches a directory if it is held still, and is not watched yet or is
// another now. One that is not there is no error.
func (w *settingWatch) rewatch(d *heldDir) (fresh bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	root, open := w.roots[d.family()]
	if !open || w.ended || w.dirs[d.confDir] != d || d.fd >= 0 && unix.Faccessat(int(d.fd), ".", unix.F_OK, 0) == nil {
		return false, nil
	}
	w.leave(d)
	if len(w.heard) >= w.limit {
		return false, fmt.Errorf("more than %d would take too many of the files that this process may have open", w.limit)
	}
	fd, err := openDir(root, d.name)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	watch, err := unix.InotifyAddWatch(w.queue, "/proc/self/fd/"+strconv.Itoa(fd), unix.IN_MODIFY|unix.IN_ONLYDIR)
	if err != nil {
		unix.Close(fd)
		return false, usedUp(err, unix.ENOSPC, "fs.inotify.max_user_watches")
	}
	d.fd, d.watch = int32(fd), int32(watch)
	w.heard[d.watch] = d
	return true, nil
}

// leave ends the watch of a directory. w.mu is held.
func (w *settingWatch) leave(d *heldDir) {
	if d.fd < 0 || w.ended {
		return
	}
	_, _ = unix.InotifyRmWatch(w.queue, uint32(d.watch)) // only a watch that is not there is refused
	unix.Close(int(d.fd))
	delete(w.heard, d.watch)
	d.fd = -1
}
