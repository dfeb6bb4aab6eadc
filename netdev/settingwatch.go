package netdev

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/netdev/sysctl"
)

// readPause lets events accumulate, so that somebody who writes all the time has more
// work with it than we do.
const readPause = time.Millisecond

// A settingWatch receives an inotify event for each write to a sysctl that we hold. The
// kernel sends none for a write by netlink or through another mount of /proc.
//
// The kernel makes a directory of /proc/sys when somebody looks it up, and the next
// lookup finds the same one only while somebody has it open. So each directory is
// kept open and watched by its descriptor. fsnotify cannot do that: it identifies a
// watch by its path, and /proc/self/fd/N is another directory once N is used again.
type settingWatch struct {
	log     *slog.Logger
	inotify *os.File
	queue   int            // inotify's descriptor
	roots   map[string]int // .../conf, opened, by family
	limit   int            // of open directories
	wake    chan struct{}  // holds a token while directories are queued
	ending  sync.Once

	mu      sync.Mutex
	ended   bool
	dirs    map[confDir]*heldDir
	heard   map[int32]*heldDir // those that are open, by watch
	waiting []*heldDir
	pass    int32
	told    Concern // the worst that was reported since the last pass began
	short   bool    // not every directory could be watched
	said    bool    // short was logged
}

// WatchSettings returns a function that calls told, until ctx is done, when somebody has
// written a wrong value to a sysctl. After one call it is silent until Reconcile has
// begun to look. The sysctls are those of the network namespace of the calling
// thread.
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
	dir := sysctl.Root + "/" + family + "/conf"
	fd, err := openDir(unix.AT_FDCWD, dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	w.roots[family] = fd
	return nil
}

// usedUp names the sysctl whose limit an error is about.
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
				w.log.Warn("sysctls are not watched any more: a change is found only by the periodic look", "err", err)
			}
			return
		}
		if c := w.judge(buf[:n]); c != Nothing {
			told(c)
		}
		time.Sleep(readPause)
	}
}

// close ends all watches. The kernel may need a quarter of a second.
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

// judge says what a series of inotify(7) events means. It returns Nothing if as much
// was reported since the last look began.
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

// weigh says what the sysctls in a link message mean, which somebody may have set by
// netlink. The message may be older than our last repair. So the first sysctl that is
// wrong in the message is read: its value now tells whether the message is current.
func (w *settingWatch) weigh(e Event) Concern {
	switch {
	case e.conf == nil:
		return Nothing
	case w == nil:
		return Suspicion
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for family, root := range w.roots {
		d := w.dirs[confDirOf(family, e.Name, e.Index)]
		if d == nil || w.ended {
			continue
		}
		if name, bad := d.wrong(e.conf); bad {
			if now, err := sysctl.ReadAt(root, d.name+"/"+name); err == nil && !d.fine(name, now) {
				return Damage
			}
		}
	}
	return Nothing
}
