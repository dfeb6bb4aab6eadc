package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"holdfast/cmd/internal/program"
	"holdfast/integration/tools"
)

func TestLine(t *testing.T) {
	web := &LVS{Service: "web", ServiceAddress: "10.0.0.100:80", Protocol: "tcp", ServerAddress: "192.168.0.11:8080"}
	six := &LVS{ServiceAddress: "[2001:db8::1]:443", Protocol: "udp", ServerAddress: "[2001:db8::2]:443"}
	mark := &LVS{Mark: 7, ServerAddress: "192.168.0.11:80"}
	for want, e := range map[string]Event{
		`INSTANCE "out side" MASTER 150`:                      {Kind: Instance, Name: "out side", State: Master, Priority: 150},
		`GROUP "director" BACKUP 0`:                           {Kind: Group, Name: "director", State: Backup},
		`INSTANCE "a" STOP 100`:                               {Kind: Instance, Name: "a", State: Stop, Priority: 100},
		`INSTANCE "a" DELETED 0`:                              {Kind: Instance, Name: "a", State: Deleted},
		`INSTANCE "a" MASTER_RX_LOWER_PRI 100`:                {Kind: Instance, Name: "a", State: Rival, OldState: Master, Priority: 100},
		`INSTANCE "a" MASTER 100`:                             {Kind: Instance, Name: "a", State: RivalGone, OldState: Master, Priority: 100},
		`INSTANCE "a" MASTER_PRIORITY 90`:                     {Kind: Instance, Name: "a", State: Priority, OldState: Master, Priority: 90},
		`INSTANCE "a" BACKUP_PRIORITY 90`:                     {Kind: Instance, Name: "a", State: Priority, OldState: Backup, Priority: 90},
		"":                                                    {Kind: Instance, Name: "a", State: Priority, OldState: Fault, Priority: 90},
		`VS [10.0.0.100]:tcp:80 UP`:                           {Kind: Service, State: Up, LVS: web},
		`RS [192.168.0.11]:tcp:8080 [10.0.0.100]:tcp:80 DOWN`: {Kind: Server, State: Down, LVS: web},
		`RS [2001:db8::2]:udp:443 [2001:db8::1]:udp:443 UP`:   {Kind: Server, State: Up, LVS: six},
		`VS FWM 7 DOWN`:                                       {Kind: Service, State: Down, LVS: mark},
		`RS [192.168.0.11]:none:80 FWM 7 UP`:                  {Kind: Server, State: Up, LVS: mark},
	} {
		if got := e.Line(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func newFIFO(t *testing.T, change func(*FIFOOptions)) *FIFO {
	t.Helper()
	o := FIFOOptions{Path: filepath.Join(tempDir(t), "fifo"), Director: "lvs1", Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&o)
	}
	f := NewFIFO(o)
	t.Cleanup(f.Close)
	return f
}

func deliver(t *testing.T, f *FIFO, lines ...string) {
	t.Helper()
	var notices []Notice
	for _, line := range lines {
		notices = append(notices, Notice{Line: line, JSON: []byte(`{"line":"` + line + `"}`)})
	}
	if n, err := f.Deliver(t.Context(), notices); n != len(lines) || err != nil {
		t.Fatalf("delivered %d of %d: %v", n, len(lines), err)
	}
}

// read reads a line from the pipe as another process would.
func openPipe(t *testing.T, path string) *bufio.Reader {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if err := file.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(file)
}

func wantLine(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if got, err := r.ReadString('\n'); err != nil || got != want+"\n" {
		t.Fatalf("read %q (%v), want %s", got, err, want)
	}
}

// What is written before anybody reads is not lost, and a pipe that is there is
// used as it is.
func TestFIFOHoldsLinesForItsReader(t *testing.T) {
	f := newFIFO(t, nil)
	deliver(t, f)
	info, err := os.Lstat(f.o.Path)
	if err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Fatalf("the pipe is %v (%v)", info.Mode(), err)
	}
	if err := os.Chmod(f.o.Path, 0o640); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "one", "", "two")
	r := openPipe(t, f.o.Path)
	wantLine(t, r, "one")
	wantLine(t, r, "two")
	f.Close()

	again := newFIFO(t, func(o *FIFOOptions) { *o = f.o; o.JSON = true })
	deliver(t, again, "three")
	wantLine(t, r, `{"line":"three"}`)
	if now, err := os.Lstat(f.o.Path); err != nil || !os.SameFile(info, now) || now.Mode().Perm() != 0o640 {
		t.Errorf("the pipe is another one, or was changed (%v)", err)
	}
}

func TestFIFOIsMadeAnewWhenItWasRemoved(t *testing.T) {
	f := newFIFO(t, nil)
	deliver(t, f, "lost")
	if err := os.Remove(f.o.Path); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, "found")
	wantLine(t, openPipe(t, f.o.Path), "found")
}

func TestFIFOBelongsToWhomItIsGiven(t *testing.T) {
	tools.Root(t, "give files away")
	f := newFIFO(t, func(o *FIFOOptions) { o.User, o.Group = "nobody", "1" })
	deliver(t, f)
	info, err := os.Lstat(f.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 65534 || stat.Gid != 1 || info.Mode().Perm() != 0o600 {
		t.Errorf("it belongs to %d:%d with mode %v", stat.Uid, stat.Gid, info.Mode())
	}
}

func TestFIFORefusesWhatIsNoPipe(t *testing.T) {
	f := newFIFO(t, nil)
	if err := os.WriteFile(f.o.Path, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n, err := f.Deliver(t.Context(), []Notice{{Line: "x"}}); n != 0 || err == nil || !strings.HasSuffix(err.Error(), "is not a pipe") {
		t.Errorf("delivered %d: %v", n, err)
	}
	if text, err := os.ReadFile(f.o.Path); err != nil || string(text) != "data" {
		t.Errorf("the file now holds %q (%v)", text, err)
	}
}

// A full pipe is an error after a while, every line is told once and whole, and
// whoever waits for the pipe can be interrupted.
func TestFIFOFull(t *testing.T) {
	f := newFIFO(t, func(o *FIFOOptions) { o.JSON = true })
	long := strings.Repeat("x", 10_000) // does not go in at once
	var notices []Notice
	for i := range 20 {
		notices = append(notices, Notice{JSON: fmt.Appendf(nil, "%d %s", i, long)})
	}
	n, err := f.Deliver(t.Context(), notices)
	if !errors.Is(err, errFull) || n < 5 || n > 8 {
		t.Fatalf("delivered %d: %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if more, err := f.Deliver(ctx, notices[n:]); more != 0 || !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: delivered %d: %v", more, err)
	}
	r := openPipe(t, f.o.Path)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for left := notices[n:]; len(left) > 0; {
			done, err := f.Deliver(t.Context(), left)
			if left = left[done:]; err != nil && !errors.Is(err, errFull) {
				failed <- err
				return
			}
		}
	}()
	for i := range notices {
		wantLine(t, r, string(notices[i].JSON))
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// The reader gets the lines, is started again when it ends, and ends with the pipe.
func TestFIFOReader(t *testing.T) {
	dir := tempDir(t)
	got := newGate(t, dir, "got")
	reader := script(t, dir, "reader", fmt.Sprintf(`while read line; do echo "$HOLDFAST_DIRECTOR $# $line" >%s; [ "$line" = die ] && exit 3; done <"$2"; echo end >%s`, got, got))
	reader.Argv = append(reader.Argv, "word")
	buffer := &logBuffer{}
	f := newFIFO(t, func(o *FIFOOptions) {
		o.Reader = &program.Program{Argv: reader.Argv}
		o.Log = slog.New(slog.NewTextHandler(buffer, nil))
	})
	deliver(t, f, "one")
	if text := got.read(t); text != "lvs1 2 one" {
		t.Errorf("the reader got %q", text)
	}
	deliver(t, f, "die")
	got.read(t)
	deliver(t, f, "two")
	if text := got.read(t); text != "lvs1 2 two" {
		t.Errorf("the second reader got %q", text)
	}
	if !strings.Contains(buffer.String(), `err="exit status 3"`) {
		t.Errorf("the log does not say that the reader died:\n%s", buffer)
	}
	closed := make(chan struct{})
	go func() { f.Close(); close(closed) }()
	if text := got.read(t); text != "end" {
		t.Errorf("in the end the reader got %q", text)
	}
	wait(t, closed, "the pipe to be closed")
}

// A reader that does not end by itself is killed, with what it started.
func TestFIFOReaderIsKilled(t *testing.T) {
	dir := tempDir(t)
	command, begun := family(t, dir, "trap '' TERM")
	f := newFIFO(t, func(o *FIFOOptions) { o.Reader = &command.Program })
	deliver(t, f)
	var ended []<-chan struct{}
	for _, pid := range pids(t, begun.read(t)) {
		ended = append(ended, watchExit(t, pid))
	}
	f.Close()
	for _, e := range ended {
		wait(t, e, "the processes of the reader to be dead")
	}
}
