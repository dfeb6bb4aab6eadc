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
	// watchDelay is how long nothing more must have come to be watched before
	// what came is, and watchLimit the longest wait. Who makes a thousand devices
	// has better to do first.
	watchDelay = 300 * time.Millisecond
	watchLimit = 2 * time.Second
	// watchShare is the part of the process's open files that may be directories
	// of settings; checks and scripts need some too.
	watchShare = 4
)

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
	if other := w.heard[int32(watch)]; other != nil { // held for an interface of this name that has gone
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
	_, _ = unix.InotifyRmWatch(w.queue, uint32(d.watch)) // only a watch that is not there is refused
	unix.Close(int(d.fd))
	delete(w.heard, d.watch)
	d.fd = -1
}

func openDir(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}
