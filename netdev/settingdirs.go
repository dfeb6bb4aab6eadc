package netdev

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// watchDelay is the quiet time after which new directories are watched, and
	// watchLimit the longest wait: making a thousand devices comes first.
	watchDelay = 300 * time.Millisecond
	watchLimit = 2 * time.Second
	// watchShare is the divisor for the part of the process's open files that may be
	// directories of sysctls. Checks and scripts need open files too.
	watchShare = 4
)

// begin starts a look at everything.
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

// end releases the directories that were not held since begin, except those whose
// name keep accepts.
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

// hold records the values that the sysctls in a directory must have from now on.
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
	case what.settings == nil: // a look at some devices says nothing about the others
		what = &holding{settings: d.settings, wants: what.wants}
	case what.wants == nil && d.wants != nil:
		what = &holding{settings: what.settings, wants: d.wants}
	}
	d.pass, d.holding = w.pass, what
}

// doubt makes the keeper watch the directories of an interface again if others have
// replaced them, and reports whether any are held.
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

// heed applies an event, and reports whether an interface was renamed whose sysctls are
// held. A renamed interface has new directories, even if it gets its old name back.
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

// wait queues a directory to be watched. w.mu is held.
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

// keep watches the queued directories.
func (w *settingWatch) keep(ctx context.Context, told func(Concern)) {
	for w.awaitAll(ctx) {
		if w.watchWaiting() {
			told(Suspicion) // somebody may have written before the watch
		}
	}
}

// awaitAll waits until directories are queued and no more come. It returns false when
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

// watchWaiting watches the queued directories, and reports whether any watch is new.
// If one cannot be watched, the others stay for the next look.
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

// next takes a directory from the queue, nil if it is empty.
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

// giveUp empties the queue until the next look, and logs the reason once.
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
		w.log.Warn("not all sysctls can be watched: a change of some is found only by the periodic look", "err", err)
	}
}

// rewatch watches a directory that is still held, if it is not watched or was replaced
// by another. A directory that does not exist is no error.
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
	if other := w.heard[int32(watch)]; other != nil { // it was held for an interface with this name that is gone
		unix.Close(int(other.fd))
		other.fd, w.short = -1, true
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
	_, _ = unix.InotifyRmWatch(w.queue, uint32(d.watch)) // fails only if there is no such watch
	unix.Close(int(d.fd))
	delete(w.heard, d.watch)
	d.fd = -1
}

func openDir(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}
