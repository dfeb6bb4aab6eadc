package lab

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A Snapshot is the state of a host's network that a daemon must leave as it
// found it: by name, devices, addresses, routes, rules, multicast groups, and
// every network sysctl.
type Snapshot map[string]string

// Snapshot records the state, once the kernel has done with what came up before.
func (h *Host) Snapshot() Snapshot {
	h.lab.t.Helper()
	h.settle()
	s := Snapshot{}
	for _, args := range []string{
		"-d link", "-d addr", "-4 route show table all", "-6 route show table all", "-4 rule", "-6 rule", "maddr",
	} {
		s["ip "+args] = h.Run("ip", strings.Fields(args)...)
	}
	err := h.Do(func() error {
		for _, tree := range []string{"net/ipv4", "net/ipv6"} {
			if err := s.addTree(filepath.Join("/proc/sys", tree)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.lab.t.Fatalf("host %s: read sysctls: %v", h.Name, err)
	}
	return s
}

// settle waits until the kernel has seen the carriers of the host's wires and has
// made the IPv6 addresses on them, which takes it a while. A wire that is cut
// settles too.
func (h *Host) settle() {
	h.lab.t.Helper()
	former := ""
	for end := time.Now().Add(scaled(unhurried)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		now := h.Run("ip", "-o", "link") + h.Run("ip", "address") + h.Run("ip", "-6", "route", "show", "table", "all")
		if now == former && !strings.Contains(now, "tentative") && !h.unseen(now) {
			return
		}
		former = now
	}
}

// unseen reports whether one of the host's wires has no carrier in the output of
// ip -o link.
func (h *Host) unseen(links string) bool {
	for line := range strings.Lines(links) {
		words := strings.Fields(line)
		if len(words) < 3 || !strings.Contains(words[2], "NO-CARRIER") {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimSuffix(words[1], ":"), "@")
		if h.Wires[name] != nil {
			return true
		}
	}
	return false
}

func (s Snapshot) addTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		// Some can only be written, some have no value yet.
		if text, err := os.ReadFile(path); err == nil {
			s[strings.TrimPrefix(path, "/proc/sys/")] = strings.TrimSpace(string(text))
		}
		return nil
	})
}

// Diff lists what is different in a later snapshot; it is empty if nothing is.
func (s Snapshot) Diff(later Snapshot) string {
	names := slices.Sorted(maps.Keys(s))
	for name := range later {
		if _, ok := s[name]; !ok {
			names = append(names, name)
		}
	}
	var out strings.Builder
	for _, name := range names {
		if s[name] != later[name] {
			fmt.Fprintf(&out, "%s:\n%s", name, lineDiff(s[name], later[name]))
		}
	}
	return out.String()
}

// lineDiff lists the lines that only one of the texts has.
func lineDiff(before, after string) string {
	var out strings.Builder
	old, young := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range old {
		if !slices.Contains(young, line) {
			fmt.Fprintf(&out, "  - %s\n", line)
		}
	}
	for _, line := range young {
		if !slices.Contains(old, line) {
			fmt.Fprintf(&out, "  + %s\n", line)
		}
	}
	if out.Len() == 0 {
		out.WriteString("  (the order of lines or their number)\n")
	}
	return out.String()
}
