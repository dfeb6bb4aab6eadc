package realserver

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"holdfast/netdev/sysctl"
)

// Up sets up the VIPs of o. It returns one sentence for each thing that it changed,
// and changes nothing that is as it should be. What it did before an error stays,
// and is known to Down.
func Up(ctx context.Context, dir Dir, o Options) (done []string, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s, unlock, err := dir.open()
	if err != nil {
		return nil, err
	}
	defer unlock()
	u := &upper{dir: dir, state: s}
	for _, vip := range o.VIPs {
		if err := u.vip(ctx, &o, vip); err != nil {
			return u.done, fmt.Errorf("VIP %v: %w", vip, err)
		}
	}
	return u.done, nil
}

// An upper carries out Up.
type upper struct {
	dir   Dir
	state *state
	done  []string
}

func (u *upper) didf(format string, args ...any) {
	u.done = append(u.done, fmt.Sprintf(format, args...))
}

// vip sets up one VIP. The address comes last: before it the host must not answer
// ARP for it, and afterwards the director's packets are served at once.
func (u *upper) vip(ctx context.Context, o *Options, vip netip.Addr) error {
	n := o.needs(vip)
	if err := mustBeQuiet(n.Device); err != nil {
		return err
	}
	if err := u.remember(o, vip, &n); err != nil {
		return err
	}
	if n.Endpoint != nil {
		if err := u.endpoint(ctx, n.Endpoint); err != nil {
			return err
		}
	}
	if err := u.device(&n); err != nil {
		return err
	}
	for _, c := range n.Settings {
		if err := u.setting(c); err != nil {
			return err
		}
	}
	if n.Port != 0 {
		if err := u.port(ctx, port{n.Port, n.PortIPv6}); err != nil {
			return err
		}
	}
	return u.address(&n)
}

// remember notes the VIP. It refuses a VIP that the host has already in a way that
// would draw the traffic of all hosts here.
func (u *upper) remember(o *Options, vip netip.Addr, n *needs) error {
	v := o.vipState(vip)
	if former, known := u.state.VIPs[vip]; known {
		v.Found = former.Found
		if former != v {
			return fmt.Errorf("it is set up in another way; first call: holdfast realserver down --vip %v", vip)
		}
		return nil
	}
	where, err := holders(vip)
	if err != nil {
		return err
	}
	for _, h := range where {
		if h.Device != n.Device || h.Prefix != n.Address {
			return fmt.Errorf("this host has %v on %s already; remove it first", h.Prefix, h.Device)
		}
		v.Found = true
	}
	u.state.VIPs[vip] = v
	return u.dir.save(u.state)
}

// endpoint makes the tunnel's device exist.
func (u *upper) endpoint(ctx context.Context, e *endpoint) error {
	link, err := find(e.Device)
	if err != nil {
		return err
	}
	if link == nil {
		if err := modprobe(ctx, e.Module); err != nil {
			return err
		}
		u.didf("loaded module %s", e.Module)
		if link, err = find(e.Device); err != nil {
			return err
		}
	}
	if link == nil {
		return fmt.Errorf("module %s is loaded, but this network namespace has no %s (sysctl net.core.fb_tunnels_only_for_init_net?)", e.Module, e.Device)
	}
	return u.raise(link)
}

// device makes the device of the address exist and be up.
func (u *upper) device(n *needs) error {
	link, err := find(n.Device)
	if err != nil {
		return err
	}
	if link == nil {
		if !n.Dummy {
			return fmt.Errorf("device %s does not exist", n.Device)
		}
		if err := u.note(n.Device, func(l *linkState) { l.Made = true }); err != nil {
			return err
		}
		if err := makeDummy(n.Device); err != nil {
			return err
		}
		u.didf("made dummy device %s", n.Device)
		if link, err = find(n.Device); err != nil {
			return err
		}
	}
	return u.raise(link)
}

// mustBeQuiet refuses a device that exists and tells other hosts of its addresses.
func mustBeQuiet(device string) error {
	link, err := find(device)
	if err != nil || link == nil || !answersARP(link) {
		return err
	}
	return fmt.Errorf("%s is a device to other hosts, which would learn that this host has the VIP; use lo or a new name", device)
}

// answersARP reports whether other hosts can ask on the device who has an address.
func answersARP(link netlink.Link) bool {
	const quiet = net.FlagLoopback | net.FlagPointToPoint
	return link.Attrs().Flags&quiet == 0 && link.Attrs().RawFlags&iffNoARP == 0
}

func (u *upper) raise(link netlink.Link) error {
	if isUp(link) {
		return nil
	}
	if err := u.note(link.Attrs().Name, func(l *linkState) { l.Raised = true }); err != nil {
		return err
	}
	if err := raise(link); err != nil {
		return err
	}
	u.didf("set %s up", link.Attrs().Name)
	return nil
}

// note saves what will be changed of a device.
func (u *upper) note(device string, change func(*linkState)) error {
	l := u.state.Links[device]
	change(&l)
	u.state.Links[device] = l
	return u.dir.save(u.state)
}

func (u *upper) setting(c setting) error {
	now, err := sysctl.Read(c.Key)
	if err != nil || c.good(now) {
		return err
	}
	if former, known := u.state.Settings[c.Key]; known {
		now = former.Was
	}
	u.state.Settings[c.Key] = formerSetting{Was: now, Set: c.Set}
	if err := u.dir.save(u.state); err != nil {
		return err
	}
	if err := sysctl.Write(c.Key, c.Set); err != nil {
		return err
	}
	u.didf("set %s from %s to %s", sysctl.Name(c.Key), now, c.Set)
	return nil
}

func (u *upper) port(ctx context.Context, p port) error {
	has, err := hasPort(p)
	if has || (err != nil && !familyMissing(err)) {
		return err
	}
	if !slices.Contains(u.state.Ports, p) {
		u.state.Ports = append(u.state.Ports, p)
	}
	if err := u.dir.save(u.state); err != nil {
		return err
	}
	if err := openPort(ctx, p); err != nil {
		return err
	}
	u.didf("take GUE on UDP port %d", p.Number)
	return nil
}

func (u *upper) address(n *needs) error {
	where, err := holders(n.Address.Addr())
	if err != nil {
		return err
	}
	have := false
	for _, h := range where {
		if h.Device != n.Device {
			return fmt.Errorf("this host has %v on %s too; remove it there", h.Prefix, h.Device)
		}
		have = have || h.Prefix == n.Address
	}
	if have {
		return nil
	}
	link, err := find(n.Device)
	if err != nil {
		return err
	}
	if link == nil {
		return fmt.Errorf("device %s vanished", n.Device)
	}
	if err := addAddress(link, n.Address); err != nil {
		return err
	}
	u.didf("added %v to %s", n.Address, n.Device)
	return nil
}

// Sentences joins what Up and Down did to a text of one line each.
func Sentences(done []string) string {
	if len(done) == 0 {
		return "nothing to change\n"
	}
	return strings.Join(done, "\n") + "\n"
}
