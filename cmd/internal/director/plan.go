package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"

	"holdfast/cmd/internal/control"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/lvs"
	"holdfast/lvs/ipvs"
	"holdfast/netdev/frame"
)

// Preview says what a start with the configuration would change in the kernel
// now. It changes nothing, and is for when no director runs.
func Preview(ctx context.Context, path string, c *conf.Config, log *slog.Logger) (*control.Plan, error) {
	errs := []error{checkIPVS(ctx, c)}
	for _, text := range MissingInterfaces(c) {
		errs = append(errs, errors.New(text))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("a start would be refused: %w", err)
	}
	p := &control.Plan{Version: status.Version, Path: path, Steps: []control.Step{}}
	p.Steps = append(previewDevices(c), sentences(describe(nil, c))...)
	ops, err := previewTable(ctx, c, log)
	p.Steps = append(p.Steps, tableSteps(ops)...)
	return p, err
}

// MissingInterfaces says which interfaces of a configuration this host does not have,
// as "key: message".
func MissingInterfaces(c *conf.Config) (list []string) {
	seen := map[string]bool{}
	for i := range c.VRRP {
		for j, name := range c.VRRP[i].Interfaces() {
			if _, err := net.InterfaceByName(name); err != nil && !seen[name] {
				list = append(list, missingInterface(&c.VRRP[i], j, name))
			}
			seen[name] = true
		}
	}
	return list
}

// missingInterface says that the interface with an index in conf.Instance.Interfaces is
// not there.
func missingInterface(in *conf.Instance, index int, name string) string {
	key := "interface"
	if index > 0 {
		key = "addresses"
	}
	return fmt.Sprintf("vrrp.%s.%s: there is no interface %s here", in.Name, key, name)
}

// checkIPVS says that a configuration needs IPVS and the kernel does not have it.
func checkIPVS(ctx context.Context, c *conf.Config) error {
	if !needsIPVS(c) {
		return nil
	}
	if err := ipvs.Check(ctx); err != nil {
		return fmt.Errorf("the configuration needs IPVS: %w", err)
	}
	return nil
}

// previewDevices says what a start makes for the virtual routers.
func previewDevices(c *conf.Config) []control.Step {
	steps := []control.Step{}
	step := func(area, format string, args ...any) {
		steps = append(steps, control.Step{Area: area, Change: control.Added, Text: fmt.Sprintf(format, args...)})
	}
	for i := range c.VRRP {
		in := &c.VRRP[i]
		if in.MAC.Mode != conf.MACInterface {
			step("netdev", "create or take over %s, a macvlan on %s with MAC %v; it is down until MASTER",
				in.Device, in.Interface, frame.MAC(in.MAC.Address))
			for _, p := range in.Extra {
				step("netdev", "create or take over %s, a macvlan on %s with MAC %v; it is down until MASTER",
					p.Device, p.Interface, frame.MAC(in.MAC.Address))
			}
			if in.Egress {
				step("netdev", "while MASTER, rules for traffic from the addresses of %s to leave by %s", in.Name, in.Device)
			}
		}
		for _, text := range previewPolicy(in) {
			step("netdev", "%s", text)
		}
		if !in.Accept {
			step("netdev", "an nftables table that drops packets for the addresses of %s, and from them", in.Name)
		}
	}
	return steps
}

// sentences returns what describe says as steps. Each begins with its verb.
func sentences(texts []string) (steps []control.Step) {
	for _, text := range texts {
		change := control.Changed
		switch verb, _, _ := strings.Cut(text, " "); verb {
		case "start", "add":
			change = control.Added
		case "stop", "remove":
			change = control.Removed
		}
		steps = append(steps, control.Step{Area: "holdfast", Change: change, Text: text})
	}
	return steps
}

// tableSteps returns changes of the IPVS table as steps.
func tableSteps(ops []lvs.Op) (steps []control.Step) {
	for _, op := range ops {
		change := control.Changed
		switch op.Verb {
		case lvs.AddService, lvs.AddServer:
			change = control.Added
		case lvs.DeleteService, lvs.DeleteServer:
			change = control.Removed
		}
		steps = append(steps, control.Step{Area: "lvs", Change: change, Text: op.String()})
	}
	return steps
}

// previewTable compares with the table of the kernel. A kernel without the
// module has an empty one; it is not loaded for a look.
func previewTable(ctx context.Context, c *conf.Config, log *slog.Logger) ([]lvs.Op, error) {
	if !needsIPVS(c) {
		return nil, nil
	}
	table := lvs.NewTable()
	if err := table.Configure(serviceConfigs(c)); err != nil {
		return nil, err
	}
	var have []lvs.Wanted
	if _, err := os.Stat("/proc/net/ip_vs"); err == nil {
		conn, err := ipvs.Open(ctx, log)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		if have, err = conn.Dump(); err != nil {
			return nil, fmt.Errorf("read the ipvs table: %w", err)
		}
	}
	table.Adopt(have)
	memory, err := readIPVSState(c.Director.RuntimeDir)
	if err != nil {
		log.Warn("what a former run left in IPVS is not known", "err", err)
	}
	via := (&viaTable{}).assign(c, c.Checks())
	ours := slices.Concat(table.Keys(), via.keys(), memory.Services())
	return lvs.Plan(have, slices.Concat(table.Wanted(), via.wanted()), func(k lvs.Key) bool { return slices.Contains(ours, k) }), nil
}

// describe says in sentences how two configurations differ, as far as the
// running director is concerned. old may be nil.
func describe(old, new *conf.Config) []string {
	var before []unit
	if old != nil {
		before = units(old)
	} else {
		old = &conf.Config{}
	}
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	d := diffUnits(before, units(new))
	for _, u := range d.gone {
		add("stop %s", u.title())
	}
	for _, in := range d.leave {
		add("stop vrrp %s, which leaves its group", in.Name)
	}
	for _, p := range d.stay {
		list = append(list, p.describe()...)
	}
	for _, u := range d.come {
		add("start %s", u.title())
	}
	describeServices(old, new, add)
	describeTrackers(old, new, add)
	describeBFD(old, new, add)
	if !reflect.DeepEqual(old.LVS, new.LVS) && old.Director.Name != "" {
		add("change lvs")
	}
	if !reflect.DeepEqual(old.Listens, new.Listens) && old.Director.Name != "" {
		add("change listen")
	}
	if !reflect.DeepEqual(old.Notify, new.Notify) && old.Director.Name != "" {
		add("change notify")
	}
	if !reflect.DeepEqual(old.Page, new.Page) && old.Director.Name != "" {
		add("change page")
	}
	if old.Director != new.Director && old.Director.Name != "" {
		add("change director")
	}
	return list
}

func (u *unit) title() string {
	if !u.group {
		return "vrrp " + u.name
	}
	s := "group " + u.name + " ("
	for i, m := range u.members {
		if i > 0 {
			s += ", "
		}
		s += m.Name
	}
	return s + ")"
}

func (p *unitPair) describe() []string {
	list := p.describeMoves()
	for i := range p.new.members {
		o, n := &p.was[i], &p.new.members[i]
		if sameInstance(o, n) {
			continue
		}
		s := "change vrrp " + n.Name
		if o.Priority != n.Priority {
			s += fmt.Sprintf(", priority %d to %d", o.Priority, n.Priority)
		}
		if o.Interval != n.Interval {
			s += fmt.Sprintf(", interval %v to %v", o.Interval, n.Interval)
		}
		if !reflect.DeepEqual(o.Prefixes, n.Prefixes) {
			s += fmt.Sprintf(", addresses %v to %v", o.Prefixes, n.Prefixes)
		}
		list = append(list, s+describePolicy(o, n))
	}
	if p.old.name == "" {
		return list // all of the group is new
	}
	if !reflect.DeepEqual(p.old.track, p.new.track) {
		list = append(list, "change what group "+p.new.name+" tracks")
	}
	if !reflect.DeepEqual(p.old.notify, p.new.notify) {
		list = append(list, "change the scripts of group "+p.new.name)
	}
	return list
}

// describeMoves says who is in another group than before.
func (p *unitPair) describeMoves() (list []string) {
	to := p.new.speakerName()
	for i, in := range p.new.members {
		switch from := p.from[i]; {
		case from == to:
		case from == "":
			list = append(list, "vrrp "+in.Name+" joins group "+to)
		case to == "":
			list = append(list, "vrrp "+in.Name+" leaves group "+from)
		default:
			list = append(list, "vrrp "+in.Name+" moves from group "+from+" to "+to)
		}
	}
	for _, in := range p.join {
		list = append(list, "start vrrp "+in.Name+", which joins group "+to)
	}
	return list
}

func describeServices(old, new *conf.Config, add func(string, ...any)) {
	before := make(map[string]*conf.Service, len(old.Services))
	for i := range old.Services {
		before[old.Services[i].Name] = &old.Services[i]
	}
	for i := range new.Services {
		n := &new.Services[i]
		o := before[n.Name]
		delete(before, n.Name)
		switch {
		case o == nil:
			add("add service %s with %d servers", n.Name, len(n.Servers))
		case !reflect.DeepEqual(o, n):
			add("change service %s", n.Name)
		}
	}
	for i := range old.Services {
		if name := old.Services[i].Name; before[name] != nil {
			add("remove service %s", name)
		}
	}
}
