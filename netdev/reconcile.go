package netdev

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Reconcile compares all devices and sysctls with what they should be, repairs
// what differs, and returns what it repaired. It leaves alone what somebody else
// added. It passes over a device whose parent does not exist, once nothing of the
// device is left on the interface that had the parent's name.
//
// The error joins an *ObjectError for each object that could not be repaired;
// [Failures] lists them.
func (h *Host) Reconcile() ([]Repair, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	devices := h.standing()
	repairs, err := h.reconcileDevices(devices)
	rest, errRest := h.reconcileRest(devices)
	return append(repairs, rest...), errors.Join(err, errRest)
}

// Look is Reconcile for a caller that expects no change. It does not compare
// devices and their sysctls if links, addresses and the host's own sysctls are exactly
// as the last Reconcile left them, and that had nothing to repair.
func (h *Host) Look() ([]Repair, error) {
	if !h.unchanged() {
		return h.Reconcile()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reconcileRest(h.standing())
}

// unchanged reports whether links and addresses are as the last Reconcile left
// them, and that had nothing to repair.
func (h *Host) unchanged() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.settled {
		return false
	}
	now, err := glance(h.conn)
	return err == nil && now == h.last && hostDigest() == h.lastHost
}

// Bare reports whether all devices are bare.
func (h *Host) Bare() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, d := range h.devices {
		if d.state != Bare || d.disabled {
			return false
		}
	}
	return true
}

// standing returns the devices that are not about to be taken down.
func (h *Host) standing() []*device {
	return slices.DeleteFunc(slices.Collect(maps.Values(h.devices)), func(d *device) bool { return d.disabled })
}

// reconcileDevices repairs devices and sysctls.
func (h *Host) reconcileDevices(devices []*device) ([]Repair, error) {
	f := newFailures()
	watch := h.settings.Load()
	watch.begin()
	repairs, err := h.converge(devices, f)
	if err == nil {
		watch.end(func(name string) bool { return h.devices[name] != nil && h.devices[name].disabled })
	}
	err = errors.Join(err, f.join())
	h.settled = len(repairs) == 0 && err == nil && !h.partial
	return repairs, err
}

// reconcileRest repairs what is neither a device nor a sysctl, and does again
// what failed before: to remove what a crashed run left, and to give sysctls back.
func (h *Host) reconcileRest(devices []*device) ([]Repair, error) {
	repairs, err := h.applyPolicy(devices)
	shadows := h.findShadows(devices)
	changed, egress := h.applyEgress()
	repairs = append(repairs, changed...)
	changed, refusal := h.applyRefusal()
	repairs = append(repairs, changed...)
	errs := []error{whole(ObjectRoutes, errors.Join(err, shadows, egress)), whole(ObjectFirewall, refusal)}
	if h.unswept {
		changed, err := h.sweep(dumpTries)
		repairs = append(repairs, changed...)
		if err != nil {
			errs = append(errs, whole(ObjectLeftovers, fmt.Errorf("what a crashed run left is not all removed: %w", err)))
		}
	} else if h.owing {
		errs = append(errs, whole(ObjectSysctl, h.giveBack(dumpTries)))
	}
	return repairs, errors.Join(errs...)
}
