package probe

// A Watcher is a Prober whose answer changes by events that it is told of. The
// caller then need not wait for the next interval.
type Watcher interface {
	Prober
	// Watch calls changed, from another goroutine, when Probe may give another answer,
	// until stop is called. Neither Watch nor stop waits for changed.
	Watch(changed func()) (stop func())
}
