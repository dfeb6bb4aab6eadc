package lab

import (
	"encoding/binary"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// A Gate makes programs wait when they open a file, as on a file server that is
// slow. The kernel asks the gate by fanotify.
type Gate struct {
	t      T
	events *os.File
}

// Gate puts a gate on a file that exists. It goes with the test.
func (l *Lab) Gate(path string) *Gate {
	l.t.Helper()
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_CONTENT|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		err = unix.FanotifyMark(fd, unix.FAN_MARK_ADD, unix.FAN_OPEN_PERM, unix.AT_FDCWD, path)
	}
	if err != nil {
		l.t.Fatalf("hold back who opens %s: %v", path, err)
	}
	g := &Gate{l.t, os.NewFile(uintptr(fd), "fanotify")}
	l.t.Cleanup(g.Open)
	return g
}

// Await returns when a program opens the file. The program waits until pass is
// called.
func (g *Gate) Await() (pass func()) {
	g.t.Helper()
	answer, err := g.next()
	if err != nil {
		g.t.Fatalf("wait until the file is opened: %v", err)
	}
	return func() {
		g.t.Helper()
		if err := answer(); err != nil {
			g.t.Fatalf("let a program open the file: %v", err)
		}
	}
}

// Open removes the gate. Programs that wait at it go on.
func (g *Gate) Open() {
	if err := g.events.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		g.t.Errorf("remove a gate: %v", err)
	}
}

// next reads one event; struct fanotify_event_metadata has its length first and
// the opened file at 16. The answer is struct fanotify_response.
func (g *Gate) next() (answer func() error, err error) {
	event := make([]byte, unix.FAN_EVENT_METADATA_LEN)
	if _, err := g.events.Read(event); err != nil {
		return nil, err
	}
	file := binary.NativeEndian.Uint32(event[16:])
	return func() error {
		response := binary.NativeEndian.AppendUint32(nil, file)
		response = binary.NativeEndian.AppendUint32(response, unix.FAN_ALLOW)
		_, err := g.events.Write(response)
		return errors.Join(err, unix.Close(int(file)))
	}, nil
}
