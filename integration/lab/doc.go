// Package lab builds networks from namespaces: directors, a router,
// realservers and the switches between them, and runs real daemons on them. It
// serves the tests, the demo and the benchmark.
//
// Nothing in it has a name outside the process: a namespace lives as long as
// somebody holds it open, every daemon dies with us (the kernel sees to it),
// and so an interrupted run leaves nothing behind. To look into a host while a
// test stands still, use `nsenter -n -t PID` with the pid of one of its
// daemons; every daemon's log is in the lab's folder, and a failing test
// prints the ends of them.
//
// Functions take a [T] and end the test when the lab itself fails, as a test
// without its network has nothing to say.
package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"holdfast/integration/tools"
	"holdfast/integration/uml"
)

// T is what the lab asks of a test: *testing.T is one, and [Standalone] makes
// one for a program.
type T interface {
	Helper()
	Name() string
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
	Failed() bool
	Cleanup(func())
}

// A Lab is a set of hosts and switches, and what runs on them.
type Lab struct {
	t      T
	dir    string
	fabric *Host // where the switches are

	mu        sync.Mutex
	hosts     []*Host
	processes []*Process
	macs      byte
}

// New makes an empty lab that ends with the test. Without the right to make
// namespaces the test is skipped, or fails if "netns" is required.
func New(t T) *Lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "holdfast-lab-")
	if err != nil {
		t.Fatalf("make the lab's folder: %v", err)
	}
	l := &Lab{t: t, dir: dir}
	folders.add(dir)
	t.Cleanup(l.close)
	if err := probe(); err != nil {
		tools.Without(t, "netns", fmt.Sprintf("network namespaces: %v (run as root)", err))
	}
	l.fabric = l.Host("fabric")
	// A switch has no addresses and says nothing by itself.
	l.fabric.Sysctl("net/ipv6/conf/all/disable_ipv6", "1")
	l.fabric.Sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	return l
}

// probe says why namespaces cannot be made, once for the process.
var probe = sync.OnceValue(func() error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	return ns.Close()
})

// Dir is the folder for configurations, logs and captures. It is removed when
// the lab ends, unless the test failed and $HOLDFAST_KEEP is set.
func (l *Lab) Dir() string { return l.dir }

// WriteFile puts a file into the lab's folder and returns its path.
func (l *Lab) WriteFile(name, text string) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.t.Fatalf("make a folder: %v", err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		l.t.Fatalf("write a file: %v", err)
	}
	return path
}

func (l *Lab) close() {
	if l.t.Failed() {
		l.showLogs()
	}
	l.mu.Lock()
	processes, hosts := l.processes, l.hosts
	l.mu.Unlock()
	for _, p := range processes {
		p.Crash()
	}
	for _, h := range hosts {
		if err := h.close(); err != nil {
			l.t.Errorf("take down host %s: %v", h.Name, err)
		}
	}
	if l.t.Failed() && os.Getenv("HOLDFAST_KEEP") != "" {
		folders.remove(l.dir)
		l.t.Logf("the lab's folder stays: %s", l.dir)
		return
	}
	folders.remove(l.dir)
	if err := os.RemoveAll(l.dir); err != nil {
		l.t.Errorf("remove the lab's folder: %v", err)
	}
}

// showLogs shows the ends of all logs in the lab's folder.
func (l *Lab) showLogs() {
	const enough = 4000
	_ = filepath.WalkDir(l.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".log") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if len(text) > enough {
			text = append([]byte("…"), text[len(text)-enough:]...)
		}
		l.t.Logf("%s:\n%s", filepath.Base(path), text)
		return nil
	})
}

// scaled multiplies a time limit on machines where everything is slow.
func scaled(limit time.Duration) time.Duration {
	if uml.Guest() {
		return 4 * limit
	}
	return limit
}

// Wait looks every few milliseconds until look says that what is awaited has
// come, and ends the test when it has not come within the limit. A look that takes
// longer is repeated after as long, for it may run programs and must not take the
// processor from what it waits for. The failure quotes the text that look returned last.
func Wait(t T, limit time.Duration, what string, look func() (seen string, ok bool)) {
	t.Helper()
	deadline := time.Now().Add(scaled(limit))
	for {
		began := time.Now()
		seen, ok := look()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v; last seen: %s", what, scaled(limit), seen)
		}
		time.Sleep(max(5*time.Millisecond, time.Since(began)))
	}
}

// Standalone runs body with a T outside of a test, ends everything it started,
// and returns why it failed.
func Standalone(name string, log func(line string), body func(T)) error {
	t := &standalone{name: name, log: log}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.end()
		body(t)
	}()
	<-done
	return errors.Join(t.failures...)
}

type standalone struct {
	name     string
	log      func(string)
	mu       sync.Mutex
	cleanups []func()
	failures []error
}

func (t *standalone) Helper()      {}
func (t *standalone) Name() string { return t.name }

func (t *standalone) Logf(format string, args ...any) { t.log(fmt.Sprintf(format, args...)) }

func (t *standalone) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, fmt.Errorf(format, args...))
}

func (t *standalone) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	runtime.Goexit()
}

func (t *standalone) Fatal(args ...any) { t.Fatalf("%s", fmt.Sprint(args...)) }

func (t *standalone) Skip(args ...any) { t.Fatal(args...) }

func (t *standalone) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.failures) > 0
}

func (t *standalone) Cleanup(f func()) { t.cleanups = append(t.cleanups, f) }

func (t *standalone) end() {
	for len(t.cleanups) > 0 {
		last := t.cleanups[len(t.cleanups)-1]
		t.cleanups = t.cleanups[:len(t.cleanups)-1]
		last()
	}
}
