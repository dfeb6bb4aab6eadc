package director

import (
	"slices"
	"strings"
	"time"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/netdev"
	"holdfast/netdev/policy"
	"holdfast/vrrp"
)

// addPolicy gives a device the routes and rules of its instance.
func addPolicy(s *netdev.Spec, in *conf.Instance) {
	for i := range in.Routes {
		s.Routes = append(s.Routes, route(&in.Routes[i]))
	}
	for i := range in.Rules {
		s.Rules = append(s.Rules, rule(&in.Rules[i], in))
	}
}

func route(r *conf.Route) policy.Route {
	p := policy.Route{
		To: r.To, Type: r.Type, Via: r.Via, Table: r.Table, VRF: r.VRF, Source: r.Source,
		Metric: r.Metric, Scope: r.Scope, TOS: r.TOS, Checked: !r.OnLink, Realm: policy.Realm(r.Realm),
		Preference: r.Preference, Options: policy.RouteOptions(r.Options), Encap: policy.Encap(r.Encap),
	}
	p.Device, p.Any = kernelDevice(r.Device)
	for _, h := range r.Hops {
		hop := policy.Hop{Via: h.Via, Weight: h.Weight, Checked: !h.OnLink, Encap: policy.Encap(h.Encap)}
		hop.Device, hop.Any = kernelDevice(h.Device)
		p.Hops = append(p.Hops, hop)
	}
	return p
}

// kernelDevice returns the device of a route, or that the kernel chooses it.
func kernelDevice(name string) (device string, any bool) {
	if name == conf.AutoDevice {
		return "", true
	}
	return name, false
}

func rule(r *conf.Rule, in *conf.Instance) policy.Rule {
	return policy.Rule{
		From: r.From, To: r.To, IPv6: r.Family == vrrp.IPv6, Not: r.Invert,
		Interface: deviceOf(r.Interface, in), Output: deviceOf(r.Output, in),
		Mark: r.Mark.Value, MarkMask: r.Mark.Mask, TOS: r.TOS, UIDs: policy.Range(r.UIDs), Protocol: r.Protocol,
		SourcePorts: policy.Range(r.SourcePorts), DestinationPorts: policy.Range(r.DestinationPorts),
		TunnelID: r.TunnelID, L3MDev: r.L3MDev,
		Action: r.Action, Table: r.Table, Goto: r.Goto, Realm: policy.Realm(r.Realm),
		SuppressLength: r.SuppressLength, SuppressGroup: r.SuppressGroup, Priority: r.Priority,
	}
}

// deviceOf is the interface that a rule names: "vmac" is the one with the
// virtual addresses, which for an instance without a device is the parent.
func deviceOf(name string, in *conf.Instance) string {
	switch {
	case name != conf.VMAC:
		return name
	case in.MAC.Mode == conf.MACInterface:
		return in.Interface
	}
	return in.Device
}

// ownedCount implements deviceOwner.
func (rs *routers) ownedCount() int {
	n := len(rs.instances)
	for _, in := range rs.instances {
		n += len(in.conf.Routes) + len(in.conf.Rules)
	}
	return n
}

// policyStatus says what became of the routes and rules of an instance.
func (rs *routers) policyStatus(in *conf.Instance) (routes, rules []status.Policy) {
	if len(in.Routes)+len(in.Rules) == 0 {
		return nil, nil
	}
	for _, s := range rs.host.Policies(deviceName(in)) {
		p := status.Policy{Text: s.Text, Present: s.Present, Why: s.Why}
		if s.Rule {
			rules = append(rules, p)
		} else {
			routes = append(routes, p)
		}
	}
	return routes, rules
}

// looked implements deviceOwner. It logs which routes and rules cannot be had, once
// for each reason.
func (rs *routers) looked() {
	for _, in := range rs.instances {
		if len(in.conf.Routes)+len(in.conf.Rules) == 0 {
			continue
		}
		missing := map[string]string{}
		for _, s := range rs.host.Policies(deviceName(in.conf)) {
			if s.Why == "" || s.Present {
				continue
			}
			missing[s.Text] = s.Why
			if in.missing[s.Text] != s.Why {
				rs.log.Warn("a route or rule cannot be had", "vrrp", in.conf.Name, "what", s.Text, "why", s.Why)
			}
		}
		in.missing = missing
	}
}

// previewPolicy says which routes and rules an instance would have, and what is
// in their way now.
func previewPolicy(in *conf.Instance) []string {
	s := spec(in)
	var list []string
	states, err := policy.Look(s.Routes, s.Rules)
	for _, p := range states {
		text := "while MASTER, " + p.Text
		switch {
		case p.Present:
			text += ", which is there already"
		case p.Why != "":
			text += ", which cannot be had now: " + p.Why
		}
		list = append(list, text)
	}
	if err != nil {
		list = append(list, "what is there of these is not known: "+err.Error())
	}
	return list
}

// describePolicy says which routes and rules come and go between two
// configurations of an instance.
func describePolicy(old, new *conf.Instance) string {
	before, after := spec(old), spec(new)
	was, is := policyTexts(&before), policyTexts(&after)
	var b strings.Builder
	for _, text := range is {
		if !slices.Contains(was, text) {
			b.WriteString(", add " + text)
		}
	}
	for _, text := range was {
		if !slices.Contains(is, text) {
			b.WriteString(", remove " + text)
		}
	}
	return b.String()
}

func policyTexts(s *netdev.Spec) []string {
	var texts []string
	for _, r := range s.Routes {
		texts = append(texts, r.String())
	}
	for _, r := range s.Rules {
		texts = append(texts, r.String())
	}
	return texts
}

// deviceLost implements deviceOwner.
func (rs *routers) deviceLost(device string, err error) {
	if in := rs.ownerOf(device); in != nil {
		rs.deliver(in, vrrp.ClaimLost{Problem: err.Error()})
	}
}

// deviceRepaired implements deviceOwner.
func (rs *routers) deviceRepaired(device string) {
	in := rs.ownerOf(device)
	if in == nil || time.Since(in.reannounced) < reannouncePause {
		return
	}
	in.reannounced = time.Now()
	rs.reannounce(in)
}

// reannouncePause bounds how often a device that somebody changes over and over is
// announced.
const reannouncePause = time.Second

// ownerOf returns the instance that has a device, nil if there is none.
func (rs *routers) ownerOf(device string) *instance {
	for _, in := range rs.instances {
		if slices.Contains(namesOf(in.conf), device) {
			return in
		}
	}
	return nil
}
