package checktools

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/checker/probe"
)

func heard(t *testing.T, changes <-chan string, want string) {
	t.Helper()
	select {
	case got := <-changes:
		if got != want {
			t.Errorf("%s was called, want %s", got, want)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("%s is not called", want)
	}
}

func TestFiles(t *testing.T) {
	f := NewFiles()
	defer f.Close()
	path := filepath.Join(t.TempDir(), "number")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n, problem := f.Number(path); n != 0 || problem != path+" is missing" {
		t.Errorf("number %d, problem %q", n, problem)
	}
	first, second := make(chan string, 10), make(chan string, 10)
	stopFirst := f.Watch(path, func() { first <- "first" })
	stopSecond := f.Watch(filepath.Dir(path)+"/./number", func() { second <- "second" })
	write("5\n")
	heard(t, first, "first")
	heard(t, second, "second")
	if n, problem := f.Number(path); n != 5 || problem != "" {
		t.Errorf("number %d, problem %q", n, problem)
	}
	for len(first) > 0 {
		<-first
	}
	stopFirst()
	write("6\n")
	heard(t, second, "second")
	if len(first) > 0 {
		t.Error("the first is called after it has left")
	}
	stopSecond()
	if len(f.callers.all) != 0 {
		t.Error("a file is watched for nobody")
	}
}

func TestSessions(t *testing.T) {
	var s Sessions
	if err := s.State("rs1"); !probe.IsInconclusive(err) {
		t.Errorf("a session without a state: %v", err)
	}
	calls := 0
	stop := s.Watch("rs1", func() { calls++ })
	silent := errors.New("control detection time expired")
	s.Set("rs1", silent)
	s.Set("rs2", nil)
	if err := s.State("rs1"); !errors.Is(err, silent) || calls != 1 {
		t.Errorf("state %v, %d calls", err, calls)
	}
	stop()
	s.Set("rs1", nil)
	if err := s.State("rs1"); err != nil || calls != 1 {
		t.Errorf("state %v, %d calls", err, calls)
	}
	s.Keep(map[string]bool{"rs2": true})
	if err := s.State("rs1"); !probe.IsInconclusive(err) {
		t.Errorf("a session that is gone: %v", err)
	}
}
