package conf

import "time"

// visitHoldoff visits the keys that delay a virtual router.
func (in *Instance) visitHoldoff(t *table) {
	field(t, "min_hold", &in.MinHold, duration(0, 24*time.Hour), 0)
	field(t, "start_delay", &in.StartDelay, duration(0, time.Hour), 0)
	field(t, "link_delay", &in.LinkDelay, duration(0, time.Hour), 0)
	field(t, "down_after", &in.DownAfter, integer[uint8](1, 100), 3)
}
