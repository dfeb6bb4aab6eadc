package lab

import (
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// folders are those of the running labs. An interrupted run could leave nothing
// else behind.
var folders folderSet

type folderSet struct {
	once  sync.Once
	mu    sync.Mutex
	names map[string]bool
}

// add notes a folder. From the first one on, a signal that ends the process removes
// all of them.
func (s *folderSet) add(name string) {
	s.once.Do(func() {
		s.names = map[string]bool{}
		told := make(chan os.Signal, 1)
		signal.Notify(told, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
		go func() {
			fmt.Fprintln(os.Stderr, "lab: ended by the signal:", <-told)
			s.mu.Lock() // and never lets go: no lab begins any more
			for _, name := range slices.Collect(maps.Keys(s.names)) {
				_ = os.RemoveAll(name) // nobody is left to report it to
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
