package control

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// large is from how many bytes on an answer leaves so much garbage that the memory is
// worth a look after it: the status of ten thousand servers is ten megabytes, and takes
// thrice as much to make.
const large = 1 << 20

// reliefAfter is how long after a large answer its memory is returned, so that several in
// a row are followed by one look: a client may ask every second.
const reliefAfter = 10 * time.Second

// A relief returns the memory of large answers to the kernel, which the runtime by itself
// would hold for minutes.
type relief struct{ pending atomic.Bool }

// soon returns the memory in a while.
func (r *relief) soon() {
	if r.pending.Swap(true) {
		return
	}
	time.AfterFunc(reliefAfter, func() {
		r.pending.Store(false)
		runtime.GC() // a sync.Pool gives its items up in two steps
		debug.FreeOSMemory()
	})
}
