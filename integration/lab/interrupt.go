package lab

import (
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// folders are those of the labs that stand: all that an interrupted run could
// leave behind.
var folders folderSet

type folderSet struct {
	once  sync.Once
	mu    sync.Mutex
	names map[string]bool
}

// add notes a folder, and from the first one on removes all of them when the
// process is told to end.
func (s *folderSet) add(name string) {
	s.once.Do(func() {
		s.names = map[string]bool{}
		told := make(chan os.Signal, 1)
		signal.Notify(told, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
		go func() {
			<-told
			s.mu.Lock() // and never lets go: no lab begins any more
			for _, name := range slices.Collect(maps.Keys(s.names)) {
				_ = os.RemoveAll(name) // there is nobody left to tell
			}
			os.Exit(130)
		}()
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[name] = true
}

func (s *folderSet) remove(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.names, name)
}
