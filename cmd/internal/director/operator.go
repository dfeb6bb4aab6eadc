package director

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/lvs"
)

// Order implements control.Backend.
func (b backend) Order(ctx context.Context, o control.ServerOrder) (*control.Servers, error) {
	var done *control.Servers
	var err error
	if e := b.d.ask(ctx, func() { done, err = b.d.services.order(time.Now(), &o) }); e != nil {
		return nil, e
	}
	return done, err
}

// Servers implements control.Backend.
func (b backend) Servers(ctx context.Context, service, server string) (*control.Servers, error) {
	var list *control.Servers
	var err error
	if e := b.d.ask(ctx, func() { list, err = b.d.services.list(time.Now(), service, server) }); e != nil {
		return nil, e
	}
	return list, err
}

// order carries out an order of an operator, down to the kernel.
func (v *virtualServices) order(now time.Time, o *control.ServerOrder) (*control.Servers, error) {
	refs, err := v.balance.table.Match(o.Service, o.Server)
	if err != nil {
		return nil, err
	}
	for _, r := range refs {
		if err := v.obey(now, r, o); err != nil {
			return nil, err
		}
	}
	v.dirty = true
	v.reconcile()
	done, err := v.list(now, o.Service, o.Server)
	if err != nil {
		return nil, err
	}
	if pending := v.balance.pending(refs); len(pending) > 0 {
		return nil, fmt.Errorf("the order is noted, but the kernel does not have it: %v: %w", pending[0], cmp.Or(v.faults.table, errNotTaken))
	}
	if v.orders.failed != nil {
		done.Notes = append(done.Notes, fmt.Sprintf("the order would not outlast a restart of the daemon: %v", v.orders.failed))
	}
	if o.Verb == control.Enable {
		return done, stillDrained(done)
	}
	done.Notes = append(done.Notes, v.orderNotes(refs, done, o)...)
	return done, nil
}

var errNotTaken = errors.New("the kernel has another table than it was given")

// obey notes an order for one server.
func (v *virtualServices) obey(now time.Time, r lvs.Ref, o *control.ServerOrder) error {
	order := lvs.Order{By: o.By, At: now}
	until := ""
	if o.For > 0 {
		order.Until = now.Add(o.For)
		until = " until " + order.Until.Format(time.DateTime)
	}
	table := v.balance.table
	before := table.Override(r)
	e := event.Event{At: now, Kind: event.KindOperator, Subject: r.String(), Detail: map[string]string{"by": o.By}, Service: v.eventServer(r)}
	var err error
	switch o.Verb {
	case control.Drain:
		err = table.Drain(r, order)
		e.To, e.Reason = event.Drained, fmt.Sprintf("drained by %s%s", o.By, until)
	case control.Weight:
		err = table.SetWeight(r, o.Weight, order)
		e.To, e.Reason = event.Weighted, fmt.Sprintf("weight %d by %s%s", o.Weight, o.By, until)
		e.Detail["weight"] = fmt.Sprint(o.Weight)
	default:
		err = table.Enable(r)
		e.To, e.Reason = event.Enabled, "enabled by "+o.By
		if before == (lvs.Override{}) {
			return err // nothing changes
		}
	}
	if err != nil {
		return err
	}
	if !order.Until.IsZero() {
		e.Detail["until"] = order.Until.Format(time.RFC3339)
	}
	v.causes[r.Service] = r.String() + ": " + e.Reason
	v.log.Info("order of an operator", "server", r.String(), "order", e.Reason)
	v.publish(e)
	return nil
}

// publishExpired publishes that orders for a server have ended.
func (v *virtualServices) publishExpired(now time.Time, x *lvs.Expired) {
	say := func(what string, o *lvs.Order) {
		reason := fmt.Sprintf("%s by %s until %s, which is over", what, o.By, o.Until.Format(time.DateTime))
		v.log.Info("the order of an operator has ended", "server", x.Ref.String(), "order", reason)
		v.causes[x.Ref.Service] = x.Ref.String() + ": " + reason
		v.publish(event.Event{
			At: now, Kind: event.KindOperator, Subject: x.Ref.String(), To: event.Enabled, Reason: reason,
			Detail: map[string]string{"by": o.By}, Service: v.eventServer(x.Ref),
		})
	}
	if o := x.Ended.Drained; o != nil {
		say("drained", o)
	}
	if o := x.Ended.Weight; o != nil {
		say(fmt.Sprintf("weight %d", o.Weight), &o.Order)
	}
}

// list returns the servers that an operator names, as they are in the kernel.
func (v *virtualServices) list(now time.Time, service, server string) (*control.Servers, error) {
	refs, err := v.balance.table.Match(service, server)
	if err != nil {
		return nil, err
	}
	services, _, faults := v.balance.status()
	if faults.table != nil {
		return nil, faults.table
	}
	list := &control.Servers{At: now}
	for i := range services {
		for j := range services[i].Servers {
			s := &services[i].Servers[j]
			if slices.Contains(refs, lvs.Ref{Service: services[i].Name, Server: s.Name}) {
				list.Servers = append(list.Servers, status.Server{Service: services[i].Name, ServerStatus: *s})
			}
		}
	}
	return list, nil
}

// stillDrained is the error that a file drains servers that an operator has enabled.
func stillDrained(done *control.Servers) error {
	var errs []error
	for i := range done.Servers {
		if s := &done.Servers[i]; s.File != "" {
			errs = append(errs, fmt.Errorf("%s/%s stays drained by the maintenance file %s", s.Service, s.Name, s.File))
		}
	}
	return errors.Join(errs...)
}

// orderNotes says what somebody who drains a server or sets its weight may not expect.
func (v *virtualServices) orderNotes(refs []lvs.Ref, done *control.Servers, o *control.ServerOrder) []string {
	var notes []string
	drains := o.Verb == control.Drain || o.Weight == 0
	if drains && v.balance.kernel != nil && slices.ContainsFunc(refs, v.isPersistent) {
		if value, err := v.balance.kernel.Sysctl("expire_quiescent_template"); err == nil && value == "0" {
			notes = append(notes, "persistent clients go on using the server: net.ipv4.vs.expire_quiescent_template is 0 (see [lvs.sysctl])")
		}
	}
	for i := range done.Servers {
		s := &done.Servers[i]
		name := s.Service + "/" + s.Name
		switch {
		case v.isOnlyChecked(s.Service):
			notes = append(notes, name+" is only checked, because its service has active = \"never\": no weight has an effect")
		case s.Health != lvs.Up.String():
			notes = append(notes, fmt.Sprintf("%s is %s: the order has an effect when it is up", name, s.Health))
		case !s.Present:
			notes = append(notes, name+" is not in the kernel here: the order has an effect when it is")
		case o.Verb == control.Weight && s.Drained:
			notes = append(notes, name+" is drained: its weight has an effect when it is enabled")
		}
	}
	return notes
}

func (v *virtualServices) isOnlyChecked(service string) bool {
	s, ok := v.balance.services[service]
	return ok && s.Active == lvs.ActiveNever
}

func (v *virtualServices) isPersistent(r lvs.Ref) bool {
	s, ok := v.balance.services[r.Service]
	return ok && s.Service.Persistence > 0
}
