package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const sysctlRoot = "/proc/sys/net"

// confKey is the path below sysctlRoot of an interface's setting. As a path
// it needs no care for names with dots.
func confKey(family, name, setting string) string {
	return family + "/conf/" + name + "/" + setting
}

// sysctlName writes a key as sysctl(8) does, where a dot in an interface name
// becomes a slash: net.ipv4.conf.eth0/10.rp_filter.
func sysctlName(key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], ".", "/")
	}
	return "net." + strings.Join(parts, ".")
}

// readSysctl and writeSysctl do without os.File, which would make each of the
// many small files known to the poller, in twice the time.
func readSysctl(key string) (string, error) {
	value, err := readValue(unix.AT_FDCWD, filepath.Join(sysctlRoot, key))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", sysctlName(key), reason(err))
	}
	return value, nil
}

// readValue reads the sysctl at a path that starts from a directory.
func readValue(at int, path string) (string, error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var b [64]byte // they are all numbers
	n, err := unix.Read(fd, b[:])
	return strings.TrimSpace(string(b[:max(n, 0)])), err
}

// writeSysctl writes and reads back: a container runtime may accept a write
// and drop it.
func writeSysctl(key, value string) error {
	if err := writeFile(filepath.Join(sysctlRoot, key), value); err != nil {
		return fmt.Errorf("set %s to %s: %w", sysctlName(key), value, reason(err))
	}
	now, err := readSysctl(key)
	if err != nil {
		return err
	}
	if now != value {
		return fmt.Errorf("set %s to %s: it reads back as %s", sysctlName(key), value, now)
	}
	return nil
}

func writeFile(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	return errors.Join(err, unix.Close(fd))
}

// reason adds to an error what to do about it.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: /proc/sys is mounted read-only here (a container?); it must be writable", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: CAP_NET_ADMIN in this network namespace is needed, and /proc/sys writable", err)
	}
	return err
}

// A want is what a sysctl of an interface that is not ours should be.
type want struct {
	key   string
	index int // of the interface in the key; 0 for all and default
	value string
	fine  func(string) bool // other values that will do
}

func oneOf(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, v) }
}

func atLeast(n int) func(string) bool {
	return func(v string) bool { i, err := strconv.Atoi(v); return err == nil && i >= n }
}

// parentWants says what an interface with IPv4 macvlans of ours needs: that it
// does not answer ARP for their addresses with its own MAC, and does not name
// one as the sender of its own requests, which would overwrite the neighbours'
// entries (the requests that a cold neighbour cache makes the host send).
// Stricter settings that do the same are kept. arp_filter is never needed: it
// silences the director's own address whenever the route back is the macvlan's.
func parentWants(l *link) []want {
	return []want{
		{confKey("ipv4", l.name, "arp_ignore"), l.index, "1", oneOf("1", "2", "8")},
		{confKey("ipv4", l.name, "arp_announce"), l.index, "2", atLeast(2)},
	}
}

// rpFilterWants says how to switch strict reverse path filtering off on our
// macvlans and nowhere else. The kernel takes the maximum of `all` and the
// interface's own value, and strict drops all that comes to a virtual address,
// since the route back is the parent's. So if `all` is 1 it must become 0, after
// every other interface, and default for new ones, has got at least 1.
func rpFilterWants(o *observation, j *journal, isOurs func(*link) bool) ([]want, error) {
	all := confKey("ipv4", "all", "rp_filter")
	now, err := readSysctl(all)
	if err != nil {
		return nil, err
	}
	if now != "1" && j.record(all, 0) == nil {
		return nil, nil
	}
	wants := []want{{confKey("ipv4", "default", "rp_filter"), 0, "1", atLeast(1)}}
	for _, l := range o.byIndex {
		if !isOurs(l) {
			wants = append(wants, want{confKey("ipv4", l.name, "rp_filter"), l.index, "1", atLeast(1)})
		}
	}
	return append(wants, want{all, 0, "0", func(v string) bool { return v != "1" }}), nil
}

// enforce makes wants true, in order. Former values are on disk before the
// first is changed. It returns what it changed, in words.
func (j *journal) enforce(wants []want) ([]string, error) {
	type change struct {
		want
		was string
	}
	var changes []change
	dirty := false
	for _, w := range wants {
		now, err := readSysctl(w.key)
		if errors.Is(err, fs.ErrNotExist) && w.index != 0 {
			continue // the interface has gone; so has the need
		}
		if err != nil {
			return nil, err
		}
		if w.fine(now) || now == w.value {
			continue
		}
		changes = append(changes, change{w, now})
		if j.record(w.key, w.index) == nil {
			j.Sysctls = append(j.Sysctls, record{Key: w.key, IfIndex: w.index, Was: now, Set: w.value})
			dirty = true
		}
	}
	if dirty {
		if err := j.save(); err != nil {
			return nil, err
		}
	}
	var did []string
	for _, c := range changes {
		if err := writeSysctl(c.key, c.value); err != nil {
			return did, err
		}
		did = append(did, fmt.Sprintf("%s was %s: set to %s", sysctlName(c.key), c.was, c.value))
	}
	return did, nil
}

// restore gives back, newest first, the former values of all sysctls that
// wants does not name, where the value is still the one we set: one that
// somebody changed since is theirs.
func (j *journal) restore(o *observation, wants []want) error {
	var errs []error
	kept := j.Sysctls[:0:0]
	for _, r := range slices.Backward(j.Sysctls) {
		if slices.ContainsFunc(wants, func(w want) bool { return r.is(w.key, w.index) }) {
			kept = append(kept, r)
			continue
		}
		if err := restoreOne(o, r); err != nil {
			errs = append(errs, err)
			kept = append(kept, r)
		}
	}
	slices.Reverse(kept)
	if len(kept) != len(j.Sysctls) {
		j.Sysctls = kept
		errs = append(errs, j.save())
	}
	return errors.Join(errs...)
}

func restoreOne(o *observation, r record) error {
	key := r.Key
	if r.IfIndex != 0 {
		l := o.byIndex[r.IfIndex]
		if l == nil {
			return nil // it has gone, and its settings with it
		}
		parts := strings.Split(key, "/") // it may have been renamed
		key = confKey(parts[0], l.name, parts[len(parts)-1])
	}
	now, err := readSysctl(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || now != r.Set {
		return err
	}
	return writeSysctl(key, r.Was)
}

// hasIPv6 reports whether the kernel has IPv6 switched on at all.
func hasIPv6() bool {
	_, err := os.Stat(filepath.Join(sysctlRoot, "ipv6"))
	return err == nil
}

// A setting is a sysctl of a macvlan.
type setting struct{ family, name, value string }

// fixed4 are the settings of every macvlan: single digits.
var fixed4 = []setting{
	{"ipv4", "arp_ignore", "1"},          // not for the director's own addresses
	{"ipv4", "arp_announce", "2"},        // nor in requests
	{"ipv4", "arp_filter", "0"},          // the route back is the parent's
	{"ipv4", "arp_notify", "0"},          // announcing is the protocol's
	{"ipv4", "arp_accept", "0"},          // learn from nobody's announcement
	{"ipv4", "proxy_arp", "0"},           // answer for nobody else
	{"ipv4", "rp_filter", "0"},           // the route back is the parent's
	{"ipv4", "accept_local", "0"},        // adverts are heard on the parent; nothing of ours comes in here
	{"ipv4", "drop_gratuitous_arp", "1"}, // else a MASTER that is about to let go answers its successor's
	{"ipv4", "promote_secondaries", "1"}, // else the first address of a subnet takes the others with it
}

// copied4 and copied6 are taken from the parent, so that traffic for a virtual
// address is treated as if it had come in there.
var (
	copied4 = []string{
		"forwarding", "send_redirects", "accept_redirects", "secure_redirects", "shared_media",
		"accept_source_route", "route_localnet", "log_martians",
	}
	copied6 = []string{"forwarding", "accept_redirects", "accept_source_route"}
)

// fixed6 are those of a macvlan with IPv6: it does nothing by itself.
var fixed6 = []setting{
	{"ipv6", "disable_ipv6", "0"},
	{"ipv6", "accept_ra", "0"},
	{"ipv6", "autoconf", "0"},
	{"ipv6", "accept_dad", "0"},
	{"ipv6", "dad_transmits", "0"},
	{"ipv6", "keep_addr_on_down", "0"},
	{"ipv6", "ndisc_notify", "0"},
	{"ipv6", "proxy_ndp", "0"},
	{"ipv6", "drop_unsolicited_na", "1"},
	// Multicast listener reports are repeated at random within this many
	// milliseconds. Late ones would come when the device is Muted again.
	{"ipv6", "mldv2_unsolicited_report_interval", "100"},
}

// A parentConf remembers during one pass what the macvlans of a parent need.
type parentConf map[parentKey]*holding

type parentKey struct {
	parent string
	ipv6   bool // of a virtual router that has IPv6 addresses
}

// settings returns what the macvlan of a spec needs.
func (c parentConf) settings(s *Spec) (*holding, error) {
	key := parentKey{s.Parent, s.wantsIPv6()}
	if all := c[key]; all != nil {
		return all, nil
	}
	all, err := settings(s)
	if err != nil {
		return nil, err
	}
	c[key] = &holding{settings: all}
	return c[key], nil
}

func settings(s *Spec) ([]setting, error) {
	all := slices.Clone(fixed4)
	add := func(family string, names []string) error {
		for _, name := range names {
			v, err := readSysctl(confKey(family, s.Parent, name))
			if err != nil {
				return err
			}
			all = append(all, setting{family, name, v})
		}
		return nil
	}
	if err := add("ipv4", copied4); err != nil {
		return nil, err
	}
	switch {
	case s.wantsIPv6():
		if !hasIPv6() {
			return nil, fmt.Errorf("device %s: this kernel has no IPv6, or it is switched off", s.Name)
		}
		all = append(all, fixed6...)
		return all, add("ipv6", copied6)
	case hasIPv6():
		all = append(all, setting{"ipv6", "disable_ipv6", "1"})
	}
	return all, nil
}

// configure gives a macvlan its settings and returns what it changed. told is
// what a link message said of them; what it did not is read.
func configure(s *Spec, all []setting, told *devconf) (did []string, err error) {
	for _, set := range all {
		now, ok := told.get(set.family, set.name)
		if ok && now == set.value {
			continue
		}
		key := confKey(set.family, s.Name, set.name)
		if !ok {
			if now, err = readSysctl(key); err != nil {
				return did, err
			}
			if now == set.value {
				continue
			}
		}
		if err := writeSysctl(key, set.value); err != nil {
			return did, err
		}
		did = append(did, fmt.Sprintf("%s was %s: set to %s", sysctlName(key), now, set.value))
	}
	return did, nil
}
