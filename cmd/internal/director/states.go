package director

import (
	"context"
	"strconv"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/lvs"
	"holdfast/vrrp"
)

// The reasons of events that are no change but tell a state.
const (
	stateAfterReload = "reloaded"
	stateForReader   = "the state when the receiver began"
)

// publishedStates are the states of instances and groups that subscribers know of,
// by kind and name. The speaker can be ahead of them by transitions that the loop
// has not read yet: whoever is told the speaker's state would hear of those
// transitions afterwards.
type publishedStates struct {
	states map[[2]string]string
	// resumed: routers go on in states that the former binary has published.
	resumed bool
}

// handle follows the events.
func (p *publishedStates) handle(e *event.Event) {
	if e.Kind != event.KindInstance && e.Kind != event.KindGroup {
		return
	}
	if e.To == event.Deleted {
		delete(p.states, [2]string{e.Kind, e.Subject})
		return
	}
	p.states[[2]string{e.Kind, e.Subject}] = e.To
}

// resume notes the state that an instance has from the former binary, which is no
// event.
func (p *publishedStates) resume(name string, state vrrp.State) {
	p.resumed = true
	p.states[[2]string{event.KindInstance, name}] = state.String()
}

// of returns a state for a list of states: the published one. If there was no event
// about the subject, that is INIT, or after an upgrade the present one. INIT is
// called STOP, as keepalived's scripts know it.
func (p *publishedStates) of(kind, name string, now vrrp.State) string {
	state, ok := p.states[[2]string{kind, name}]
	switch {
	case !ok && p.resumed:
		state = now.String()
	case !ok:
		state = event.Init
	}
	if state == event.Init {
		return event.Stop
	}
	return state
}

// states returns what every instance and group is, in the order of the file.
func (rs *routers) states(reason string, published *publishedStates) []event.Event {
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return nil // the VRRP loop has ended, and so does the director
	}
	var list []event.Event
	add := func(e event.Event) {
		e.At, e.Reason, e.Snapshot = snap.At, reason, true
		list = append(list, e)
	}
	for i := range rs.conf.VRRP {
		name := rs.conf.VRRP[i].Name
		if st, ok := snap.Routers[name]; ok {
			to := published.of(event.KindInstance, name, st.Machine.State)
			add(event.Event{
				Kind: event.KindInstance, Subject: name, To: to,
				Detail:   map[string]string{"priority": strconv.Itoa(int(st.Machine.Priority))},
				Instance: &event.Instance{State: to, Priority: int(st.Machine.Priority)},
			})
		}
	}
	for _, g := range rs.conf.Groups {
		if st, ok := snap.Groups[g.Name]; ok {
			add(event.Event{
				Kind: event.KindGroup, Subject: g.Name, To: published.of(event.KindGroup, g.Name, st.State),
				Group: &event.Group{Members: g.Members},
			})
		}
	}
	return list
}

// states returns what every service and server is that was checked, in the order of
// the file.
func (v *virtualServices) states(at time.Time, reason string) []event.Event {
	var list []event.Event
	add := func(e event.Event) {
		e.At, e.Reason, e.Snapshot = at, reason, true
		list = append(list, e)
	}
	for i := range v.conf.Services {
		s := &v.conf.Services[i]
		if health := eventHealth(v.balance.table.ServiceHealth(s.Name)); health != "" {
			add(event.Event{Kind: event.KindService, Subject: s.Name, To: health, Service: v.eventService(s)})
		}
		for j := range s.Servers {
			r := lvs.Ref{Service: s.Name, Server: s.Servers[j].Name}
			if to := eventHealth(v.balance.table.Health(r)); to != "" {
				add(event.Event{Kind: event.KindServer, Subject: r.Service + "/" + r.Server, To: to, Service: v.eventServer(r)})
			}
		}
	}
	return list
}

// states returns the present state of everything that has one.
func (d *Director) states() []event.Event {
	return append(d.routers.states(stateForReader, &d.published), d.services.states(time.Now(), stateForReader)...)
}

// States implements control.Backend.
func (b backend) States(ctx context.Context) (list []event.Event, seq uint64, err error) {
	var states []event.Event
	var last uint64
	if err := b.d.ask(ctx, func() { states, last = b.d.states(), b.d.journal.Last() }); err != nil {
		return nil, 0, err
	}
	return states, last, nil
}
