package checker

// NewProber returns what asks the question of c, on no schedule, for a caller
// that has one of its own. c must be valid and its Kind not None. close ends
// its use; no Probe may run then.
func NewProber(c Config) (p Prober, close func()) {
	p = new(toolbox).prober(c)
	return p, func() { discard(p) }
}
