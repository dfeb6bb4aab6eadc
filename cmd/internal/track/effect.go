package track

// FaultValue is the product of a number and its weight at and below which the
// tracker faults the virtual router rather than lower its priority.
const FaultValue = -254

// A Standing is what is known of a tracker.
type Standing struct {
	State State
	// Number is what a file says; Numeric tells such a tracker from others.
	Number  int
	Numeric bool
}

// An Effect is what a tracker does to a virtual router.
type Effect struct {
	Fault bool
	Add   int // to the priority
}

// On returns the effect with a weight. Weight 0 faults the virtual router while
// the tracker is down. A positive weight is added while it is up, a negative
// one while it is down. A number is multiplied by the weight and added.
//
// What is not known is taken for up.
func (s Standing) On(weight int) Effect {
	switch {
	case weight == 0:
		return Effect{Fault: s.State == Down}
	case s.Numeric:
		// Bounded first: the product of a file's number must not overflow.
		product := min(max(s.Number, -1000), 1000) * weight
		if product <= FaultValue {
			return Effect{Fault: true}
		}
		return Effect{Add: product}
	case weight < 0 && s.State == Down, weight > 0 && s.State != Down:
		return Effect{Add: weight}
	}
	return Effect{}
}
