package track

// FaultValue is a bound on the product of a tracker's number and its weight: at
// or below it the tracker faults the virtual router instead of lowering its
// priority.
const FaultValue = -254

// A Standing is the result of a tracker that counts for the virtual routers
// that use it.
type Standing struct {
	State State
	// Number is the number that the tracked file contains. Only a tracker with
	// Numeric has one.
	Number  int
	Numeric bool
}

// An Effect is what a tracker does to a virtual router.
type Effect struct {
	Fault bool
	Add   int // what to add to the priority
}

// On returns the effect of the tracker on a virtual router that uses it with
// this weight. Weight 0 faults the virtual router while the tracker is down. A
// positive weight is added while the tracker is up, a negative one while it is
// down. A numeric tracker adds the product of its number and the weight.
//
// An unknown state counts as up.
func (s Standing) On(weight int) Effect {
	switch {
	case weight == 0:
		return Effect{Fault: s.State == Down}
	case s.Numeric:
		// The number is bounded first because the product must not overflow.
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
