package probe

// A Waiter is a Prober that answers for one of several servers that are asked together.
type Waiter interface {
	Prober
	// Wait says whether the server is to be left out, because nobody wants to know of it
	// now. It does not wait for a Probe that runs.
	Wait(out bool)
}
