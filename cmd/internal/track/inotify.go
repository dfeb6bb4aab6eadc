package track

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

type fileEvent struct {
	wd   int32
	name string // "" if the event is of the directory itself
	lost bool   // the queue overflowed
}

// parseEvents reads a series of struct inotify_event (inotify(7)).
func parseEvents(b []byte) []fileEvent {
	var events []fileEvent
	for len(b) >= unix.SizeofInotifyEvent {
		wd := int32(binary.NativeEndian.Uint32(b))
		mask := binary.NativeEndian.Uint32(b[4:])
		size := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		if size > len(b) {
			break
		}
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:size], []byte{0})
		events = append(events, fileEvent{wd: wd, name: string(name), lost: mask&unix.IN_Q_OVERFLOW != 0})
		b = b[size:]
	}
	return events
}
