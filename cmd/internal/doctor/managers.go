package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A manager is a program that configures interfaces, with the file that keeps it away from
// ours.
type manager struct {
	name, process string
	dirs          []string // of its files
	pattern       string   // in a file: it is about our devices
	file, text    string   // the cure
}

var managers = []manager{
	{"systemd-networkd", "systemd-network", []string{"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"},
		".network", "/etc/systemd/network/00-holdfast.network", `[Match]\nKind=macvlan\nName=vrrp4-* vrrp6-*\n\n[Link]\nUnmanaged=yes\n`},
	{"NetworkManager", "NetworkManager", []string{"/etc/NetworkManager", "/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d"},
		".conf", "/etc/NetworkManager/conf.d/holdfast.conf", `[device-holdfast]\nmatch-device=interface-name:vrrp4-*,interface-name:vrrp6-*\nmanaged=0\n`},
}

// managerFacts say for each manager by name whether it runs and which files name devices
// that it leaves alone.
type managerFacts map[string]struct {
	Running bool
	Files   []string // the text of those that keep it away from devices
}

func lookAtManagers(context.Context, *Patient) (managerFacts, error) {
	running, err := processNames()
	facts := managerFacts{}
	for _, m := range managers {
		f := facts[m.name]
		f.Running = running[m.process]
		for _, dir := range m.dirs {
			files, _ := filepath.Glob(filepath.Join(dir, "*"+m.pattern))
			for _, file := range files {
				text, readErr := os.ReadFile(file)
				if readErr == nil && (strings.Contains(string(text), "Unmanaged=") || strings.Contains(string(text), "managed=0") || strings.Contains(string(text), "unmanaged-devices")) {
					f.Files = append(f.Files, string(text))
				}
			}
		}
		facts[m.name] = f
	}
	return facts, err
}

// processNames returns the names of all processes, which the kernel cuts to 15 bytes.
func processNames() (map[string]bool, error) {
	files, err := filepath.Glob("/proc/[0-9]*/comm")
	names := map[string]bool{}
	for _, file := range files {
		if name, err := os.ReadFile(file); err == nil { // else it has ended
			names[strings.TrimSpace(string(name))] = true
		}
	}
	return names, err
}

func judgeManagers(p *Patient, facts managerFacts) (found []Finding) {
	var all []string
	for i := range p.Config.VRRP {
		all = append(all, devices(&p.Config.VRRP[i])...)
	}
	for _, m := range managers {
		f := facts[m.name]
		if !f.Running {
			continue
		}
		open := slices.DeleteFunc(slices.Clone(all), func(device string) bool {
			return slices.ContainsFunc(f.Files, func(text string) bool { return names(text, device) })
		})
		if len(open) == 0 {
			continue
		}
		found = append(found, Finding{
			Severity: Warning, What: fmt.Sprintf("%s runs, and no file keeps it away from %s", m.name, strings.Join(open, ", ")),
			Why:  "It gives them its own configuration when it starts, and may take the addresses of the MASTER away when it configures them again. holdfast puts them back, after a moment without them.",
			Cure: fmt.Sprintf("printf '%s' > %s (with the names of devices that the configuration names itself), then restart or reload %s", m.text, m.file, m.name),
		})
	}
	return found
}

// names reports whether a file names a device, by itself or by a pattern.
func names(text, device string) bool {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n=,;", r) }) {
		word = strings.TrimPrefix(word, "interface-name:")
		if fits, err := filepath.Match(word, device); err == nil && fits && word != "*" {
			return true
		}
	}
	return false
}
