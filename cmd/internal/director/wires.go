package director

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/frame"
	"holdfast/netdev/port"
	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// A wire is one more interface by which the adverts of an instance go, as the speaker
// has it.
type wire struct {
	facts   netdev.Interface
	portErr error // why the port is not open there
}

// A wireTx says from where an instance sends on a further path. It is part of what a
// binary leaves for its early speaker.
type wireTx struct {
	Name   string
	Index  int
	Source netip.Addr // not valid: nothing can be sent
	MAC    frame.MAC
	TTL    uint8
}

// updateWires takes over what is known of the interfaces of the paths, and reports
// whether adverts are to be sent there in another way.
func (in *instance) updateWires(facts map[string]netdev.Interface) (changed bool) {
	before := in.wireTx()
	now := make(map[string]wire, len(in.conf.Also))
	for i := range in.conf.Also {
		name := in.conf.Also[i].Name
		now[name] = wire{facts[name], in.wires[name].portErr}
	}
	in.wires = now
	return !slices.Equal(before, in.wireTx())
}

// wireTx returns from where an instance sends on its further paths.
func (in *instance) wireTx() []wireTx {
	var list []wireTx
	for i := range in.conf.Also {
		p := &in.conf.Also[i]
		f := in.wires[p.Name].facts
		list = append(list, wireTx{p.Name, f.Index, in.wireSource(i), f.MAC, p.TTL})
	}
	return list
}

// wireSource is the address that adverts come from on a path; the zero Addr if the
// interface does not have it.
func (in *instance) wireSource(i int) netip.Addr {
	f := in.wires[in.conf.Also[i].Name].facts
	return source(in.onPath(i), &f)
}

// sourceOn is the address that packets come from on an interface of the paths; the zero
// Addr if there is none.
func (in *instance) sourceOn(name string) netip.Addr {
	if name == in.conf.Interface {
		return source(in, &in.facts)
	}
	for i := range in.conf.Also {
		if in.conf.Also[i].Name == name {
			return in.wireSource(i)
		}
	}
	return netip.Addr{}
}

// onPath is the instance as it is on a path, of which source and noSource are told.
func (in *instance) onPath(i int) *instance {
	p := &in.conf.Also[i]
	on := &instance{conf: &conf.Instance{Interface: p.Name}}
	on.conf.Family, on.conf.Source = in.conf.Family, p.Source
	return on
}

// addWires adds how adverts go on further paths.
func addWires(tx *speaker.TxConfig, c *vrrp.Config, a *auth.Config, wires []wireTx) error {
	for i, w := range wires {
		p := speaker.PathTx{Name: w.Name, IfIndex: w.Index}
		if w.Source.IsValid() && i < len(c.Paths) {
			in := conf.Instance{Config: c.OnPath(i + 1), TTL: w.TTL}
			in.Auth.Config = *a
			one, err := newTxConfig(txSource{index: w.Index, source: w.Source, group: in.MulticastGroup(), advertMAC: w.MAC}, nil)
			if err == nil {
				err = addRecipients(&one, &in, w.MAC)
			}
			if err != nil {
				return fmt.Errorf("path %s: %w", w.Name, err)
			}
			if c.Fast {
				addBackup(&one, a.Kind == auth.Header, w.MAC)
			}
			p.Source, p.Wrap, p.Multicast, p.Peers, p.Header = one.Source, one.Wrap, one.Multicast, one.Peers, one.Header
			p.WrapBackup, p.BackupHeader = one.WrapBackup, one.BackupHeader
		}
		tx.Also = append(tx.Also, p)
	}
	return nil
}

// openedWires notes on which interfaces the port was opened, and on which it could not be.
func (in *instance) openedWires(opened map[string]error) {
	for i := range in.conf.Also {
		name := in.conf.Also[i].Name
		if err, tried := opened[name]; tried {
			if in.wires == nil {
				in.wires = map[string]wire{}
			}
			w := in.wires[name]
			w.portErr = err
			in.wires[name] = w
		}
	}
}

func (in *instance) wiresUnsettled() bool {
	for _, w := range in.wires {
		if w.portErr != nil {
			return true
		}
	}
	return false
}

// addWireListeners adds what an instance listens to on an interface of its paths.
func (in *instance) addWireListeners(l *port.Listen) {
	for i := range in.conf.Also {
		if in.conf.Also[i].Name != l.Name {
			continue
		}
		on := in.conf.OnPath(i + 1)
		l.IPv4 = l.IPv4 || on.Family == vrrp.IPv4
		l.IPv6 = l.IPv6 || on.Family == vrrp.IPv6
		l.Unicast = l.Unicast || on.Unicast || on.Fast
		if g := on.MulticastGroup(); !slices.Contains(l.Groups, g) {
			l.Groups = append(l.Groups, g)
		}
		l.AH = l.AH || in.conf.Auth.Kind == auth.Header
	}
}

// leavesWires returns the interfaces of paths that a reload takes away, with their
// indexes.
func (in *instance) leavesWires(now *conf.Instance) map[string]int {
	left := map[string]int{}
	for i := range in.conf.Also {
		if name := in.conf.Also[i].Name; !slices.Contains(now.AllInterfaces(), name) {
			left[name] = in.wires[name].facts.Index
		}
	}
	return left
}

// reviewPaths says what is wrong with paths of instances: that is no fault, because the
// first path works, but the redundancy is lost.
func (rs *routers) reviewPaths() {
	some := false
	for _, in := range rs.instances {
		some = some || len(in.conf.Also) > 0
	}
	if !some && !rs.pathProblems {
		return
	}
	snap, err := rs.speaker.Snapshot()
	if err != nil {
		return // the VRRP loop has ended
	}
	var all []status.Problem
	for name, in := range rs.instances {
		if st, ok := snap.Routers[name]; ok {
			all = append(all, in.pathProblems(st, snap.At)...)
		}
	}
	rs.pathProblems = len(all) > 0
	rs.problems(all)
}

// pathProblems says what is wrong with the paths of an instance. What is wrong with the
// interface of the first path is a fault, which has its own text.
func (in *instance) pathProblems(st *speaker.Status, now time.Time) (all []status.Problem) {
	wires := in.conf.Wires()
	if len(in.conf.Also) == 0 || len(st.Paths) != len(wires) {
		return nil // between two steps of a reload
	}
	for i, name := range wires {
		text := ""
		switch {
		case i > 0:
			text = in.wireFault(i - 1)
		case len(in.faults) > 0:
			continue
		}
		if text == "" {
			text = heardProblem(name, &st.Paths[i], st, now)
		}
		if text != "" {
			all = append(all, status.Problem{Kind: "path", Name: name, VRRP: in.conf.Name, Interface: name, Text: text})
		}
	}
	return all
}

// wireFault says why adverts cannot go by the interface of a path.
func (in *instance) wireFault(i int) string {
	name := in.conf.Also[i].Name
	w := in.wires[name]
	f := &w.facts
	lost := "no adverts go by " + name + ": "
	switch {
	case f.Index == 0:
		return lost + "there is no such interface"
	case f.Name != name:
		return lost + "the interface is called " + f.Name + " now"
	case !f.Admin:
		return lost + "the interface is down"
	case !f.Up:
		return lost + "the interface has no carrier"
	case w.portErr != nil:
		return lost + w.portErr.Error()
	case !in.wireSource(i).IsValid():
		return lost + noSource(in.onPath(i), f)
	}
	if n := advertLen(in.conf) + vrrp.OriginLen; n > f.MTU {
		return fmt.Sprintf("%san advert has %d bytes, and the interface carries %d", lost, n, f.MTU)
	}
	return ""
}

// pathsStatus returns the paths of an instance that has several.
func pathsStatus(c *conf.Instance, st *speaker.Status) (list []status.Path) {
	if len(c.Also) == 0 {
		return nil
	}
	wires := c.Wires()
	for i := range min(len(st.Paths), len(wires)) {
		p, on := &st.Paths[i], c.OnPath(i)
		s := status.Path{
			Interface: wires[i], LastHeard: p.LastHeard, Silent: p.Silent,
			AdvertsSent: p.Sent, AdvertsReceived: p.Received, Copies: p.Copies, Dropped: dropped(&p.Dropped),
		}
		if p.Source.IsValid() {
			s.Source = p.Source.String()
		}
		if !on.Unicast {
			s.Multicast = on.MulticastGroup().String()
		}
		for _, peer := range on.Peers {
			s.Peers = append(s.Peers, peer.Address.String())
		}
		list = append(list, s)
	}
	return list
}

// heardProblem says what is wrong with what is heard by a path, and with what is sent.
func heardProblem(name string, p *speaker.PathStatus, st *speaker.Status, now time.Time) string {
	switch {
	case p.IsCrossed(now):
		return fmt.Sprintf("%s receives adverts that were sent for another path: both are one LAN, which one broken switch cuts, or cables are crossed", name)
	case p.Silent:
		return fmt.Sprintf("no adverts come by %s, while %v is heard by another path", name, st.Machine.Master.Address)
	case p.SendFailure != nil && st.Machine.State == vrrp.Master:
		return fmt.Sprintf("adverts cannot be sent by %s: %s", name, p.SendFailure.Problem)
	}
	return ""
}
