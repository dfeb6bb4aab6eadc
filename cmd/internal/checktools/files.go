package checktools

import (
	"maps"
	"path/filepath"
	"slices"
	"sync"

	"holdfast/checker/probe"
	"holdfast/cmd/internal/track"
)

// Files read numbers from files, and tell when they may have changed.
type Files struct {
	watch   *track.Watch
	callers callers
}

var _ probe.Files = (*Files)(nil)

// NewFiles returns Files that watch nothing yet. The caller must call Close.
func NewFiles() *Files {
	f := &Files{}
	f.watch = track.NewWatch(f.callers.call)
	return f
}

// Number implements probe.Files.
func (f *Files) Number(path string) (n int, problem string) { return f.watch.Number(path) }

// Watch implements probe.Files.
func (f *Files) Watch(path string, changed func()) (stop func()) {
	path = filepath.Clean(path)
	leave, first := f.callers.add(path, changed)
	if first {
		f.watch.Add(path)
	}
	return func() {
		if leave() {
			f.watch.Remove(path)
		}
	}
}

// Close ends the watch.
func (f *Files) Close() { f.watch.Close() }

// callers are functions to call when something of a name changes.
type callers struct {
	mu  sync.Mutex
	all map[string]map[*func()]bool // by name
}

// add adds a function for a name, and reports whether it is the only one. leave
// removes it, and reports whether none is left.
func (c *callers) add(name string, f func()) (leave func() (none bool), only bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all == nil {
		c.all = map[string]map[*func()]bool{}
	}
	if c.all[name] == nil {
		c.all[name] = map[*func()]bool{}
	}
	key := &f
	c.all[name][key] = true
	return func() bool { return c.remove(name, key) }, len(c.all[name]) == 1
}

func (c *callers) remove(name string, key *func()) (none bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all[name], key)
	none = len(c.all[name]) == 0
	if none {
		delete(c.all, name)
	}
	return none
}

// call calls the functions of a name. They may add and remove others.
func (c *callers) call(name string) {
	c.mu.Lock()
	all := slices.Collect(maps.Keys(c.all[name]))
	c.mu.Unlock()
	for _, f := range all {
		(*f)()
	}
}
