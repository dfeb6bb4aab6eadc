package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A manager is a program that configures interfaces, with the file that keeps it away from
// ours.
type manager struct {
	name, process string
	dirs          []string // of its files
	pattern       string   // in a file: it is about our devices
	file, text    string   // the cure
	// list is the command that prints a line for each interface. managed returns the name in
	// a line if the manager manages that interface, else "".
	list    []string
	managed func(line string) string
	heed    string // the command after which it heeds its files
}

var managers = []manager{
	{
		name: "systemd-networkd", process: "systemd-network",
		dirs:    []string{"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network"},
		pattern: ".network", file: "/etc/systemd/network/00-holdfast.network", text: `[Match]\nKind=macvlan\nName=vrrp4-* vrrp6-*\n\n[Link]\nUnmanaged=yes\n`,
		list: []string{"networkctl", "list", "--no-pager", "--no-legend"}, managed: managedByNetworkd, heed: "systemctl restart systemd-networkd",
	},
	{
		name: "NetworkManager", process: "NetworkManager",
		dirs:    []string{"/etc/NetworkManager", "/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d"},
		pattern: ".conf", file: "/etc/NetworkManager/conf.d/holdfast.conf", text: `[keyfile]\nunmanaged-devices+=interface-name:vrrp4-*;interface-name:vrrp6-*\n`,
		list: []string{"nmcli", "-t", "-f", "DEVICE,STATE", "device"}, managed: managedByNetworkManager, heed: "systemctl reload NetworkManager",
	},
}

// managedByNetworkd reads a line of networkctl: number, name, type, operational state, and
// state of its own work.
func managedByNetworkd(line string) string {
	if f := strings.Fields(line); len(f) == 5 && f[4] != "unmanaged" {
		return f[1]
	}
	return ""
}

// managedByNetworkManager reads a line of nmcli. NetworkManager also manages what it calls
// "connected (externally)": nmcli device reapply takes addresses away there.
func managedByNetworkManager(line string) string {
	if name, state, ok := strings.Cut(line, ":"); ok && state != "unmanaged" {
		return name
	}
	return ""
}

// managerFacts say for each manager by name what is known of it.
type managerFacts map[string]managerFact

type managerFact struct {
	Running bool
	Files   []string // the text of those that keep it away from devices
	Managed []string // the interfaces that it says it manages; empty without its program
}

func lookAtManagers(ctx context.Context, _ *Patient) (managerFacts, error) {
	running, err := processNames()
	facts := managerFacts{}
	for i := range managers {
		if m := &managers[i]; running[m.process] {
			facts[m.name] = managerFact{Running: true, Files: m.files(), Managed: m.manages(ctx)}
		}
	}
	return facts, err
}

// files returns the text of its files that keep it away from devices.
func (m *manager) files() (texts []string) {
	for _, dir := range m.dirs {
		files, _ := filepath.Glob(filepath.Join(dir, "*"+m.pattern))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err == nil && (strings.Contains(string(text), "Unmanaged=") || strings.Contains(string(text), "managed=0") || strings.Contains(string(text), "unmanaged-devices")) {
				texts = append(texts, string(text))
			}
		}
	}
	return texts
}

// manages asks the manager itself, by its program if that is installed.
func (m *manager) manages(ctx context.Context) (names []string) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, m.list[0], m.list[1:]...).Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if name := m.managed(strings.TrimSpace(line)); name != "" {
			names = append(names, name)
		}
	}
	return names
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
	for i := range managers {
		if m := &managers[i]; facts[m.name].Running {
			found = append(found, m.judge(facts[m.name], all)...)
		}
	}
	return found
}

// judge returns what is to say of a manager that runs.
func (m *manager) judge(f managerFact, all []string) (found []Finding) {
	var open, late []string
	for _, device := range all {
		switch {
		case !slices.ContainsFunc(f.Files, func(text string) bool { return names(text, device) }):
			open = append(open, device)
		case slices.Contains(f.Managed, device):
			late = append(late, device)
		}
	}
	const why = "It gives them its own configuration when it starts, and may take the addresses of the MASTER away when it configures them again. holdfast puts them back, after a moment without them."
	if len(open) > 0 {
		found = append(found, Finding{
			Severity: Warning, Why: why,
			What: fmt.Sprintf("%s runs, and no file keeps it away from %s", m.name, strings.Join(open, ", ")),
			Cure: fmt.Sprintf("printf '%s' > %s (with the names of devices that the configuration names itself), then %s", m.text, m.file, m.heed),
		})
	}
	if len(late) > 0 {
		found = append(found, Finding{
			Severity: Warning, Why: why,
			What: fmt.Sprintf("%s runs and manages %s, which a file of its configuration forbids", m.name, strings.Join(late, ", ")),
			Cure: fmt.Sprintf("%s; if that does not help, another of its files takes back what the first says: compare with %s", m.heed, m.file),
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
