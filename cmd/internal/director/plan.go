package director

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
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

// MissingPaths says which interfaces of further paths this host does not have, as "key:
// message". A start without them is not refused: they may come later.
func MissingPaths(c *conf.Config) (list []string) {
	for i := range c.VRRP {
		for _, name := range c.VRRP[i].Wires()[1:] {
			if _, err := net.InterfaceByName(name); err != nil {
				list = append(list, fmt.Sprintf("vrrp.%s.also: there is no interface %s here", c.VRRP[i].Name, name))
			}
		}
	}
	return list
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
	step := func(format string, args ...any) {
		steps = append(steps, control.Step{Area: "netdev", Change: control.Added, Text: fmt.Sprintf(format, args...)})
	}
	for i := range c.VRRP {
		in := &c.VRRP[i]
		if in.MAC.Mode != conf.MACInterface {
			step("create or take over %s, a macvlan on %s with MAC %v; it is down until MASTER",
				in.Device, in.Interface, frame.MAC(in.MAC.Address))
			for _, p := range in.Extra {
				step("create or take over %s, a macvlan on %s with MAC %v; it is down until MASTER",
					p.Device, p.Interface, frame.MAC(in.MAC.Address))
			}
			if in.Egress {
				step("while MASTER, rules for traffic from the addresses of %s to leave by %s", in.Name, in.Device)
			}
		}
		for _, text := range previewPolicy(in) {
			step("%s", text)
		}
		if !in.Accept {
			step("an nftables table that drops packets for the addresses of %s, and from them", in.Name)
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

// Plan implements control.Backend.
func (b backend) Plan(ctx context.Context) (*control.Plan, error) {
	n, err := b.d.read(ctx)
	if err != nil {
		return nil, err
	}
	absent := checkIPVS(ctx, n.conf) // it may run a program, which is not for the loop
	var p *control.Plan
	if e := b.d.ask(ctx, func() { p, err = b.d.plan(ctx, n.conf, absent) }); e != nil {
		return nil, e
	}
	return p, err
}

// plan says what a reload of a configuration would change now, or why it would be
// refused. Of the subsystems it asks the virtual routers alone: the services would
// load the IPVS module, which is a change. absent says that the configuration needs
// IPVS in vain.
func (d *Director) plan(ctx context.Context, c *conf.Config, absent error) (*control.Plan, error) {
	if d.services.balance.kernel != nil {
		absent = nil
	}
	if err := errors.Join(d.admitRuntimeDir(c), d.routers.admit(ctx, c), absent); err != nil {
		return nil, fmt.Errorf("a reload would be refused: %w", err)
	}
	p := &control.Plan{Version: status.Version, Path: d.opts.Path}
	p.Steps = append([]control.Step{}, sentences(describe(d.conf, c))...)
	ops, err := d.services.balance.preview(c)
	if err != nil {
		return nil, err
	}
	p.Steps = append(p.Steps, tableSteps(ops)...)
	return p, nil
}
