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
)

// hearPause lets what is written without pause come together, so that we have
// less to do than the writer.
const hearPause = time.Millisecond

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
	dir := sysctlRoot + "/" + family + "/conf"
	fd, err := openDir(unix.AT_FDCWD, dir)
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	w.roots[family] = fd
	return nil
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

// weigh says what the sysctls in a link message mean, which somebody may have set
// by netlink. The message may be older than what we have put right since: where it
// has something that should not be, the sysctl is read, and with the first one of
// them the message is true or old.
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
			if now, err := readValue(root, d.name+"/"+name); err == nil && !d.fine(name, now) {
				return Damage
			}
		}
	}
	return Nothing
}
