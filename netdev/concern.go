package netdev

import "slices"

// A Concern says what an event means for the devices of a Host.
type Concern uint8

// The concerns, from the least to the most.
const (
	Nothing   Concern = iota // Reconcile would find nothing to do
	Suspicion                // it may find something: the Host was at work, or events were lost
	Damage                   // one of our devices is not as it should be
)

// Concerns says whether an event means that one of our devices is no longer as it
// should be, so that Reconcile has something to do. It does not look at the kernel,
// and it recognises events that the Host itself caused. It does not wait: while the
// Host is at work, every event is a Suspicion.
func (h *Host) Concerns(e Event) Concern {
	watch := h.settings.Load()
	moved := watch.heed(e)
	if e.Kind == Resync || !h.mu.TryLock() {
		return Suspicion
	}
	defer h.mu.Unlock()
	if h.damages(e) {
		return Damage
	}
	if moved || e.Kind == FilterChanged && e.Filter != 0 {
		return Suspicion // only a look can tell whether the value is in the way
	}
	return watch.weigh(e)
}

// damages reports whether an event says that a device is not as it should be.
func (h *Host) damages(e Event) bool {
	if e.Kind == LinkChanged {
		for _, d := range h.devices {
			if d.linkConcerns(e) {
				return true
			}
		}
		return false
	}
	return slices.ContainsFunc(h.at(e.Index), func(d *device) bool {
		return e.Kind == AddressChanged && d.addressConcerns(e) ||
			e.Kind == FilterChanged && d.spec.virtual() && e.Filter != 0
	})
}

// at returns the devices that are, or have their addresses on, the interface with an
// index. Somebody may change thousands of addresses a second beside a thousand devices, so
// no event looks through all of them.
func (h *Host) at(index int) []*device {
	if h.indexed == nil {
		h.indexed = make(map[int][]*device, len(h.devices))
		for _, d := range h.devices {
			h.indexed[d.index] = append(h.indexed[d.index], d)
		}
	}
	return h.indexed[index]
}

func (d *device) linkConcerns(e Event) bool {
	if !d.spec.virtual() {
		return e.Name == d.spec.Parent && e.Present && e.Index != d.index
	}
	if e.Name == d.spec.Parent {
		return e.Present && d.index == 0 // the parent has come back
	}
	if e.Name != d.spec.Name {
		return e.Index == d.index && e.Present // ours, renamed
	}
	if !e.Present {
		return e.Index == d.index
	}
	return e.Index != d.index || e.MAC != d.spec.MAC || e.Admin != (d.state != Bare) || e.Muted != (d.state == Muted)
}

func (d *device) addressConcerns(e Event) bool {
	if e.Added {
		return d.state == Bare && (d.spec.virtual() || d.mine[e.Prefix])
	}
	return d.state == Claimed && d.wants(e.Prefix)
}
