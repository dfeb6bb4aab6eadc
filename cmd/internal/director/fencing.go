package director

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/fence"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
)

// fencePause is the time between two attempts to fence a node, and fenceAgain that after
// the last one, with on_failure = "wait".
const (
	fencePause = 2 * time.Second
	fenceAgain = 10 * time.Second
)

// A fencing is how far a unit has got with fencing the MASTER that has vanished. It
// begins with the claims of a takeover, and is over when they are withdrawn or pass.
type fencing struct {
	running  bool
	done     bool // the claims need not wait any longer
	attempts int
	at       time.Time // of the next attempt
	node     string
	problem  string // the last failure; "": none
	gen      int    // of the takeover
}

// fenced reports whether the claims of a unit need not wait for fencing, and fences.
func (r *resources) fenced(u *unitResources, now time.Time) bool {
	f := &u.fencing
	if len(u.claims) == 0 {
		if f.done || f.attempts > 0 {
			*f = fencing{gen: f.gen + 1, running: f.running, node: f.node}
			r.problems(r.troubles())
		}
		return true
	}
	if u.fence.Kind == "" || f.done {
		return true
	}
	if f.running || len(u.claims)+len(u.holding) < len(u.members) || now.Before(f.at) {
		return false
	}
	lost, planned := u.lost()
	if planned || !lost.IsValid() {
		f.done = true
		return true
	}
	r.fence(u, lost)
	return false
}

// lost returns the MASTER that has vanished, as all members of a unit see it; planned
// reports whether it is alive or gave its addresses away.
func (u *unitResources) lost() (lost netip.Addr, planned bool) {
	for _, o := range u.claims {
		planned = planned || o.Planned
		if o.Lost.IsValid() && u.fence.Nodes[lost] == "" { // the address of a known node is better
			lost = o.Lost
		}
	}
	return lost, planned
}

// fence begins an attempt to fence the node of a MASTER.
func (r *resources) fence(u *unitResources, lost netip.Addr) {
	f := &u.fencing
	f.node = cmp.Or(u.fence.Nodes[lost], u.fence.Node)
	f.attempts++
	if f.node == "" {
		r.fenceEnded(u, f.gen, fmt.Errorf("no node is configured for %v", lost))
		return
	}
	f.running = true
	r.log.Warn("fencing", "group", u.name, "node", f.node, "address", lost, "attempt", f.attempts)
	device, gen, limit := fenceDevice(&u.fence), f.gen, u.fence.Timeout
	env := []string{
		"HOLDFAST_NODE=" + f.node, "HOLDFAST_ADDRESS=" + lost.String(),
		"HOLDFAST_GROUP=" + u.name, "HOLDFAST_DIRECTOR=" + r.conf.Director.Name,
	}
	node := f.node
	r.spawn(func() {
		ctx, cancel := context.WithTimeout(r.ctx, limit)
		defer cancel()
		err := device.Run(ctx, node, env)
		r.post(func() { r.fenceEnded(u, gen, err) })
	})
}

// fenceEnded takes the result of an attempt. That of a takeover that is over is told,
// and counts for nothing.
func (r *resources) fenceEnded(u *unitResources, gen int, err error) {
	f := &u.fencing
	f.running = false
	e := event.Event{Kind: event.KindFence, Subject: f.node, To: event.FenceDone, Detail: map[string]string{"group": u.name}}
	if err != nil {
		e.To, e.Reason = event.FenceFailed, err.Error()
		r.log.Error("fencing failed", "group", u.name, "node", f.node, "err", err)
	}
	if gen == f.gen {
		f.judge(&u.fence, err, time.Now())
		if err != nil && f.done {
			e.Reason += `; the addresses are taken over all the same (on_failure = "take")`
		}
	}
	r.publish(e)
	r.problems(r.troubles())
	r.step(u)
}

// judge decides what follows from the result of an attempt.
func (f *fencing) judge(c *conf.Fence, err error, now time.Time) {
	switch {
	case err == nil:
		f.done, f.problem = true, ""
		return
	case f.attempts <= c.Retries:
		f.at = now.Add(fencePause)
	case c.OnFailure == conf.FenceTake:
		f.done = true
	default:
		f.at = now.Add(fenceAgain)
	}
	f.problem = err.Error()
}

// fenceTroubles lists the nodes that could not be fenced.
func (u *unitResources) fenceTroubles() []status.Problem {
	f := &u.fencing
	if f.problem == "" {
		return nil
	}
	text := fmt.Sprintf("node %s could not be fenced, and %s is not taken over: %s", f.node, u.name, f.problem)
	if f.done {
		text = fmt.Sprintf("node %s could not be fenced: %s", f.node, f.problem)
	}
	return []status.Problem{{Kind: "fence", Name: f.node, Text: text}}
}

// unfitFences says of every program that fences and could not, or must not, be run here
// and now why that is.
func unfitFences(c *conf.Config) (list []string) {
	for _, u := range units(c) {
		fence := u.fence()
		if fence.Kind == "" {
			continue
		}
		if err := fenceDevice(&fence).Check(); err != nil {
			list = append(list, fmt.Sprintf("%s.fence: %v", u.key(), err))
		}
	}
	return list
}

// fenceDevice is the device of a configuration.
func fenceDevice(c *conf.Fence) *fence.Device {
	d := &fence.Device{Agent: c.Agent, Plugin: c.Plugin, Action: string(c.Action), Params: maps.Clone(c.Params)}
	switch c.Kind {
	case conf.FenceAgent:
		d.Kind = fence.Agent
	case conf.FenceStonith:
		d.Kind = fence.Stonith
	case conf.FenceCommand:
		d.Program = program.Program{Argv: c.Command.Argv, User: c.Command.User, Group: c.Command.Group}
	}
	if d.Params == nil {
		d.Params = map[string]string{}
	}
	for name, s := range c.Secrets {
		d.Params[name] = string(s)
	}
	return d
}
