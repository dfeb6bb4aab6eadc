package journal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/event"
	"holdfast/integration/tools"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A run is a daemon as far as the journal is concerned.
type run struct {
	events  *event.Journal
	writer  *Writer
	trouble chan error
}

var runs int

// begin starts a run that knows what the file has.
func begin(t *testing.T, path string, limit int64) *run {
	t.Helper()
	content, err := Read(path)
	must(t, err)
	return beginAfter(t, path, limit, content)
}

// beginAfter starts a run that knows something else of the file.
func beginAfter(t *testing.T, path string, limit int64, content *Content) *run {
	t.Helper()
	runs++
	start := event.NewStart([6]byte{byte(runs)}, content.Last())
	r := &run{events: event.NewJournal(4096, content.Last()), trouble: make(chan error, 16)}
	must(t, r.events.Prepend(content.Newest(4096)))
	r.writer = newWriter(Options{
		Path: path, Events: r.events, Start: start, Written: content.Last(),
		Trouble: func(err error) { r.trouble <- err },
	}, limit)
	t.Cleanup(func() { _ = r.writer.Close(time.Second) }) // of a test that failed
	return r
}

func (r *run) say(n int) {
	for range n {
		r.events.Append(event.Event{At: time.Now(), Kind: event.KindConfig, Reason: "<said>"})
	}
}

// told returns what the writer says next.
func (r *run) told(t *testing.T) error {
	t.Helper()
	select {
	case err := <-r.trouble:
		return err
	case <-time.After(2 * maxPause):
		t.Fatal("the writer says nothing")
		return nil
	}
}

func (r *run) end(t *testing.T) {
	t.Helper()
	must(t, r.writer.Close(10*time.Second))
}

func numbers(events []event.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, fmt.Sprint(e.Seq))
	}
	return strings.Join(list, " ")
}

func TestNumbersGoOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "events.jsonl")
	for range 3 {
		r := begin(t, path, maxSize)
		r.say(2)
		r.end(t)
	}
	content, err := Read(path)
	must(t, err)
	if got := numbers(content.Events); got != "1 2 3 4 5 6" || len(content.Starts) != 3 || content.Damaged != 0 {
		t.Errorf("the file has %s, %v, %d damaged", got, content.Starts, content.Damaged)
	}
	if got := event.Cursor(content.Starts, 4); !strings.HasSuffix(got, ":4") || !strings.HasPrefix(got, content.Starts[1].ID) {
		t.Errorf("the cursor of 4 is %s", got)
	}
}

// A crash tears the last line. The next run takes it away and goes on.
func TestTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := begin(t, path, maxSize)
	r.say(3)
	r.end(t)
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, text[:len(text)-7], 0o640))
	content, err := Read(path)
	must(t, err)
	if numbers(content.Events) != "1 2" || content.Damaged != 0 {
		t.Errorf("the torn file has %s, %d damaged", numbers(content.Events), content.Damaged)
	}
	r = begin(t, path, maxSize)
	r.say(1)
	r.end(t)
	content, err = Read(path)
	must(t, err)
	if numbers(content.Events) != "1 2 3" || content.Damaged != 0 {
		t.Errorf("after the next run the file has %s, %d damaged", numbers(content.Events), content.Damaged)
	}
}

// What is not JSON in the middle costs one line, not the journal.
func TestDamagedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	must(t, os.WriteFile(path, []byte("{\"seq\":1,\"kind\":\"config\"}\n\x00\x00\x00\n{\"seq\":3,\"kind\":\"config\"}\n{\"seq\":3,\"kind\":\"config\"}\n"), 0o640))
	content, err := Read(path)
	must(t, err)
	if numbers(content.Events) != "1 3" || content.Damaged != 2 {
		t.Errorf("the file has %s, %d damaged", numbers(content.Events), content.Damaged)
	}
	if got := numbers(content.Newest(9)); got != "3" {
		t.Errorf("without a gap there are %s", got)
	}
}

func TestFilesAreBounded(t *testing.T) { synctest.Test(t, filesAreBounded) }

func filesAreBounded(t *testing.T) {
	const limit = 4 << 10
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := begin(t, path, limit)
	for range 40 {
		r.say(50)
		synctest.Wait() // until it is written
	}
	r.end(t)
	for _, name := range []string{path, former(path)} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Size() > limit+maxBatch*128 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	content, err := Read(path)
	must(t, err)
	newest := content.Newest(4096)
	if content.Last() != 2000 || len(newest) != len(content.Events) || len(content.Starts) != 1 {
		t.Errorf("the files end at %d, %d of %d events hang together, starts %v", content.Last(), len(newest), len(content.Events), content.Starts)
	}
}

// A disk that refuses is said once for each reason, and what it refused is written later.
func TestDiskThatRefuses(t *testing.T) { synctest.Test(t, diskThatRefuses) }

func diskThatRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	must(t, os.WriteFile(dir, nil, 0o600)) // a file where the directory belongs
	path := filepath.Join(dir, "events.jsonl")
	r := beginAfter(t, path, maxSize, &Content{})
	r.say(3)
	if err := r.told(t); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("the trouble is %v", err)
	}
	time.Sleep(2 * time.Second) // it was tried again
	must(t, os.Remove(dir))
	must(t, os.MkdirAll(path, 0o755))
	if err := r.told(t); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("the next trouble is %v", err)
	}
	must(t, os.RemoveAll(dir))
	if err := r.told(t); err != nil {
		t.Errorf("then %v", err)
	}
	r.end(t)
	content, err := Read(path)
	must(t, err)
	if got := numbers(content.Events); got != "1 2 3" {
		t.Errorf("the file has %s", got)
	}
}

// smallDisk is the variable that names the folder for a small disk.
const smallDisk = "HOLDFAST_TEST_SMALL_DISK"

// A full disk is said and leaves no half a line behind; what it refused is written when
// there is room. The test runs once more in a mount namespace, which the disk is in.
func TestFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDisk); dir != "" {
		must(t, unix.Mount("small", dir, "tmpfs", 0, "size=64k"))
		synctest.Test(t, func(t *testing.T) { fullDisk(t, dir) })
		return
	}
	tools.Root(t, "mount a small disk")
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self, "-test.run=^TestFullDisk$")
	cmd.Env = append(os.Environ(), smallDisk+"="+t.TempDir())
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		tools.Without(t, "netns", err)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func fullDisk(t *testing.T, dir string) {
	path, rest := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "rest")
	r := begin(t, path, maxSize)
	r.say(1)
	synctest.Wait() // until it is written
	if err := os.WriteFile(rest, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk ends with %v", err)
	}
	r.say(maxBatch + 1)
	if err := r.told(t); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the trouble is %v", err)
	}
	text, err := os.ReadFile(path)
	must(t, err)
	// What the writer took before the rest may fit in the page that the file has.
	if lines := strings.Count(string(text), "\n"); lines < 2 || lines > maxBatch || !strings.HasSuffix(string(text), "\n") {
		t.Errorf("the full disk has %d lines: %q", lines, text)
	}
	must(t, os.Remove(rest))
	if err := r.told(t); err != nil {
		t.Errorf("then %v", err)
	}
	r.end(t)
	content, err := Read(path)
	must(t, err)
	if len(content.Newest(4096)) != maxBatch+2 || content.Damaged != 0 {
		t.Errorf("then the file has %s, %d damaged", numbers(content.Events), content.Damaged)
	}
}

// A second daemon does not write to the same file, and a link or a pipe is refused.
func TestFileThatIsNotOurs(t *testing.T) {
	dir := t.TempDir()
	path, link, pipe := filepath.Join(dir, "events.jsonl"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	j, err := openFile(path, maxSize)
	must(t, err)
	defer j.close()
	if _, err := openFile(path, maxSize); !errors.Is(err, errInUse) {
		t.Errorf("a second daemon: %v", err)
	}
	must(t, os.Symlink(path, link))
	must(t, unix.Mkfifo(pipe, 0o600))
	for _, name := range []string{link, pipe} {
		if _, err := openFile(name, maxSize); err == nil {
			t.Errorf("%s was opened", name)
		}
	}
}

// A file that somebody removes is made again.
func TestRemovedFile(t *testing.T) { synctest.Test(t, removedFile) }

func removedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := begin(t, path, maxSize)
	r.say(1)
	synctest.Wait() // until it is written
	must(t, os.Remove(path))
	r.say(1)
	r.end(t)
	content, err := Read(path)
	must(t, err)
	if got := numbers(content.Events); got != "2" || len(content.Starts) != 1 {
		t.Errorf("the file has %s, %v", got, content.Starts)
	}
}

// Of a file that is far too large only the end is read.
func TestHugeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	must(t, os.WriteFile(path, []byte("{\"seq\":1,\"kind\":\"config\"}\n"), 0o640))
	must(t, os.Truncate(path, 1<<40)) // a hole
	r := begin(t, path, maxSize)
	r.say(2)
	r.end(t)
	content, err := Read(path)
	must(t, err)
	if got := numbers(content.Events); got != "1 2" || content.Last() != 2 {
		t.Errorf("the file has %s", got)
	}
}

// A daemon that began without the file, and was given it by a reload, counts from 1. Its
// events are read by the next.
func TestNumbersBeginAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	r := begin(t, path, maxSize)
	r.say(5)
	r.end(t)
	r = beginAfter(t, path, maxSize, &Content{})
	r.say(2)
	r.end(t)
	content, err := Read(path)
	must(t, err)
	if got := numbers(content.Events); got != "1 2" || len(content.Starts) != 1 || content.Damaged != 0 {
		t.Errorf("the file has %s, starts %v, %d damaged", got, content.Starts, content.Damaged)
	}
}
