package realserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"holdfast/netdev/statefile"
)

// fileName is the file of the state in the runtime directory.
const fileName = "realserver.json"

// A state is what Up has changed in the kernel since the machine started.
type state struct {
	VIPs     map[netip.Addr]vipState  `json:"vips"`
	Settings map[string]formerSetting `json:"sysctls"`
	Links    map[string]linkState     `json:"links"`
	Ports    []port                   `json:"ports,omitempty"`
}

// A vipState is a VIP with the options that set it up.
type vipState struct {
	Method    Method `json:"method"`
	Device    string `json:"device,omitempty"` // "": the method's own
	Tunnel    Tunnel `json:"tunnel,omitempty"`
	Port      uint16 `json:"port,omitempty"`
	OuterIPv6 bool   `json:"outer_ipv6,omitempty"`
	// Found says that the address was there before, so it is not removed.
	Found bool `json:"found,omitempty"`
}

func (v vipState) options(vip netip.Addr) Options {
	o := Options{VIPs: []netip.Addr{vip}, Method: v.Method, Device: v.Device, Tunnel: v.Tunnel, Port: v.Port}
	switch {
	case v.Method != TUN:
	case v.OuterIPv6:
		o.Outer = IPv6
	default:
		o.Outer = IPv4
	}
	return o
}

// vipState returns how the options set up one of their VIPs.
func (o *Options) vipState(vip netip.Addr) vipState {
	return vipState{Method: o.Method, Device: o.Device, Tunnel: o.Tunnel, Port: o.Port, OuterIPv6: o.outerIPv6(vip)}
}

// A formerSetting is a sysctl that was changed.
type formerSetting struct {
	Was string `json:"was"`
	Set string `json:"set"`
}

// A linkState is a device that was made or set up.
type linkState struct {
	Made   bool `json:"made,omitempty"`
	Raised bool `json:"raised,omitempty"`
}

// A port is a UDP port that takes GUE packets.
type port struct {
	Number uint16 `json:"port"`
	IPv6   bool   `json:"ipv6,omitempty"`
}

// A Dir is the runtime directory with the state.
type Dir string

// open locks the directory and reads the state. The units of several VIPs may
// start at once, and each call must see what the other has changed.
func (d Dir) open() (s *state, unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return nil, nil, err
	}
	lock, err := os.OpenFile(filepath.Join(string(d), "realserver.lock"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, nil, err
	}
	unlock = func() { _ = lock.Close() } // nothing was written
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		unlock()
		return nil, nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if s, err = d.read(); err != nil {
		unlock()
		return nil, nil, err
	}
	return s, unlock, nil
}

// read returns the state, an empty one if there is no file.
func (d Dir) read() (*state, error) {
	path := filepath.Join(string(d), fileName)
	s := &state{}
	content, err := statefile.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(content, s); err != nil {
			return nil, fmt.Errorf("%s is damaged: %w; look with \"ip address\" and \"sysctl net.ipv4.conf\" for what is to be undone, then remove the file", path, err)
		}
	}
	if s.VIPs == nil {
		s.VIPs = map[netip.Addr]vipState{}
	}
	if s.Settings == nil {
		s.Settings = map[string]formerSetting{}
	}
	if s.Links == nil {
		s.Links = map[string]linkState{}
	}
	return s, nil
}

// save writes the state. Up saves before it changes anything, so that a crash
// leaves nothing unknown.
func (d Dir) save(s *state) error {
	path := filepath.Join(string(d), fileName)
	if len(s.VIPs)+len(s.Settings)+len(s.Links)+len(s.Ports) == 0 {
		return statefile.Remove(path)
	}
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return statefile.Replace(path, content)
}

// addresses returns the VIPs, sorted.
func (s *state) addresses() []netip.Addr {
	return slices.SortedFunc(maps.Keys(s.VIPs), netip.Addr.Compare)
}

// needed returns the sysctls, devices and ports that the VIPs of s still need.
func (s *state) needed() (settings, links map[string]bool, ports []port) {
	settings, links = map[string]bool{}, map[string]bool{}
	for vip, v := range s.VIPs {
		o := v.options(vip)
		n := o.needs(vip)
		links[n.Device] = true
		for _, c := range n.Settings {
			settings[c.Key] = true
		}
		if n.Endpoint != nil {
			links[n.Endpoint.Device] = true
		}
		if n.Port != 0 {
			ports = append(ports, port{n.Port, n.PortIPv6})
		}
	}
	return settings, links, ports
}
