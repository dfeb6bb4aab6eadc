package director

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/vrrp"
	"holdfast/vrrp/speaker"
)

// handoverPoll is how often a handover is looked at until it is over.
const handoverPoll = 5 * time.Millisecond

// Handover implements control.Backend: it gives the mastership of a group or a
// lone instance away, or of all that are MASTER here, and answers when another
// router has it and everything is released.
func (b backend) Handover(ctx context.Context, name string) (*control.HandedOver, error) {
	if err := b.d.makeWay(ctx, name); err != nil {
		return nil, err
	}
	defer b.d.stay(name) // where it is MASTER still
	if err := b.d.makeWay(ctx, name); err != nil {
		return nil, err
	}
	defer b.d.stay(name) // where it is MASTER still
	var given []handingOver
	var err error
	if e := b.d.ask(ctx, func() { given, err = b.d.routers.yield(name) }); e != nil {
		return nil, e // and the loop may still be about to set the others
	}
	if err != nil {
		return nil, err
	}
	result := &control.HandedOver{}
	var errs []error
	for _, h := range given {
		to, err := b.d.routers.awaitSuccessor(ctx, &h)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		result.Units = append(result.Units, control.HandedOverUnit{
			Name: h.unit, To: to, TookMS: ms(time.Since(h.at)),
		})
	}
	return result, errors.Join(errs...)
}

// A handingOver is a unit that is giving mastership away.
type handingOver struct {
	unit     string
	at       time.Time
	members  []string
	interval time.Duration
}

// yield has the unit of a name give mastership away, or with "" every MASTER.
func (rs *routers) yield(name string) ([]handingOver, error) {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return nil, err
	}
	if in := rs.instances[name]; in != nil && rs.units[in.unit].group != nil {
		return nil, fmt.Errorf("%s is a member of group %s: use \"holdfast handover %s\"", name, in.unit, in.unit)
	}
	if name != "" && rs.units[name] == nil {
		return nil, fmt.Errorf("no group or instance is named %s", name)
	}
	var given []handingOver
	for unitName, u := range rs.units {
		if name != "" && unitName != name {
			continue
		}
		if !masterAll(&u.unit, &snap) {
			if name != "" {
				return nil, fmt.Errorf("%s is not MASTER here", name)
			}
			continue
		}
		h := handingOver{unit: unitName, at: time.Now()}
		for _, m := range u.members {
			h.members = append(h.members, m.Name)
			h.interval = max(h.interval, m.Interval)
		}
		if err := rs.speaker.Yield(unitName); err != nil {
			return given, err
		}
		given = append(given, h)
	}
	if len(given) == 0 {
		return nil, errors.New("no group or instance is MASTER here")
	}
	return given, nil
}

func masterAll(u *unit, snap *speaker.Snapshot) bool {
	for _, m := range u.members {
		if snap.Router(m.Name).Machine.State != vrrp.Master {
			return false
		}
	}
	return true
}

// awaitSuccessor returns who took over, once everything is released.
func (rs *routers) awaitSuccessor(ctx context.Context, h *handingOver) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*h.interval+2*time.Second)
	defer cancel()
	tick := time.NewTicker(handoverPoll)
	defer tick.Stop()
	for {
		snap, err := rs.speaker.Snapshot()
		if err != nil {
			return "", err
		}
		to, over := "", true
		for _, name := range h.members {
			m := &snap.Router(name).Machine
			if m.State == vrrp.Master {
				return "", fmt.Errorf("no other director took over %s: it is MASTER here again", h.unit)
			}
			over = over && !m.Holding && m.Master.LastHeard.After(h.at)
			to = m.Master.Address.String()
		}
		if over {
			return to, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("hand over %s: no router was heard to take over: %w", h.unit, ctx.Err())
		}
	}
}
