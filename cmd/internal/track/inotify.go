package track

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// A fileEvent is a struct inotify_event.
type fileEvent struct {
	wd   int32
	name string // "" for an event of the watched directory itself
	lost bool   // the queue overflowed: events were lost
	gone bool   // the watched directory was removed or renamed
}

// parseEvents decodes what was read from an inotify descriptor (inotify(7)).
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
		events = append(events, fileEvent{
			wd: wd, name: string(name),
			lost: mask&unix.IN_Q_OVERFLOW != 0,
			gone: mask&(unix.IN_IGNORED|unix.IN_MOVE_SELF) != 0,
		})
		b = b[size:]
	}
	return events
}
