package doctor

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"holdfast/conf"
	"holdfast/lvs"
)

// moduleFacts are the modules that the running kernel has.
type moduleFacts struct {
	Kernel string
	// Loaded and Builtin are complete; Loadable are the modules on disk. Unknown says
	// that the list of built-in modules could not be read, as in a container.
	Loaded, Builtin, Loadable map[string]bool
	Unknown                   bool
	// Config says of each module whether the kernel was built with it: "y" built in,
	// "m" as a module. nil: the kernel does not show how it was built.
	Config  map[string]string
	IPVS    bool // the kernel has a table of virtual services
	Macvlan bool // a macvlan of ours is there
}

// builtWithout reports whether the kernel shows that it was built without a module.
func (m *moduleFacts) builtWithout(module string) bool {
	return m.Config != nil && m.Config[module] == ""
}

func lookAtModules(_ context.Context, p *Patient) (moduleFacts, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return moduleFacts{Unknown: true}, fmt.Errorf("ask for the version of the kernel: %w", err)
	}
	f := moduleFacts{Kernel: unix.ByteSliceToString(name.Release[:]), Loaded: map[string]bool{}}
	// A directory below /sys/module is there for loaded modules, and for built-in ones
	// that have parameters.
	entries, err := os.ReadDir("/sys/module")
	for _, e := range entries {
		f.Loaded[e.Name()] = true
	}
	_, missing := os.Stat("/proc/net/ip_vs")
	f.IPVS = missing == nil
	for i := range p.Config.VRRP {
		for _, name := range devices(&p.Config.VRRP[i]) {
			_, missing := net.InterfaceByName(name)
			f.Macvlan = f.Macvlan || missing == nil
		}
	}
	dir := "/lib/modules/" + f.Kernel
	var builtinErr, depErr error
	f.Builtin, builtinErr = moduleList(dir + "/modules.builtin")
	f.Loadable, depErr = moduleList(dir + "/modules.dep")
	f.Unknown = builtinErr != nil || depErr != nil
	f.Config = kernelConfig("/proc/config.gz")
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return f, err
}

// moduleList reads the names of modules from a file of depmod(8), whose lines begin with
// a path.
func moduleList(file string) (map[string]bool, error) {
	r, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	names := map[string]bool{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		name, _, _ := strings.Cut(s.Text(), ":")
		names[moduleName(name)] = true
	}
	return names, s.Err()
}

// kernelConfig reads how the kernel was built, which it shows if it has CONFIG_IKCONFIG_PROC;
// otherwise it returns nil. The options of the modules that we need are the names of the
// modules: CONFIG_IP_VS_WLC is ip_vs_wlc.
func kernelConfig(file string) map[string]string {
	packed, err := os.Open(file)
	if err != nil {
		return nil
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		return nil
	}
	options := map[string]string{}
	s := bufio.NewScanner(r)
	for s.Scan() {
		option, value, set := strings.Cut(s.Text(), "=")
		if name, is := strings.CutPrefix(option, "CONFIG_"); set && is {
			options[strings.ToLower(name)] = value
		}
	}
	if s.Err() != nil {
		return nil
	}
	return options
}

// moduleName turns the path of a module into its name, in which - and _ are the same.
func moduleName(file string) string {
	name, _, _ := strings.Cut(path.Base(file), ".ko")
	return strings.ReplaceAll(name, "-", "_")
}

// A moduleNeed is a module with what needs it.
type moduleNeed struct{ module, why string }

// neededModules returns the modules that a configuration needs.
func neededModules(c *conf.Config) (needs []moduleNeed) {
	add := func(module, why string) {
		if !slices.ContainsFunc(needs, func(n moduleNeed) bool { return n.module == module }) {
			needs = append(needs, moduleNeed{module, why})
		}
	}
	for _, in := range c.VRRP {
		if in.MAC.Mode != conf.MACInterface && in.Device != "" {
			add("macvlan", fmt.Sprintf("the virtual router %s has its addresses on the macvlan %s", in.Name, in.Device))
		}
	}
	if needsIPVS(c) {
		add("ip_vs", "services and the sync daemon are those of IPVS")
	}
	for _, s := range balanced(c) {
		add("ip_vs_"+s.Service.Scheduler, fmt.Sprintf("the service %s has the scheduler %s", s.Name, s.Service.Scheduler))
		if s.Service.PersistEngine != "" {
			add("ip_vs_pe_"+s.Service.PersistEngine, fmt.Sprintf("the service %s has the persistence engine %s", s.Name, s.Service.PersistEngine))
		}
	}
	return needs
}

func needsIPVS(c *conf.Config) bool { return len(balanced(c)) > 0 || c.LVS.Sync.Interface != "" }

// balanced returns the services that are in the kernel.
func balanced(c *conf.Config) (all []*conf.Service) {
	for i := range c.Services {
		if c.Services[i].Active != lvs.ActiveNever {
			all = append(all, &c.Services[i])
		}
	}
	return all
}

func judgeModules(p *Patient, m moduleFacts) (found []Finding) {
	for _, n := range neededModules(p.Config) {
		if m.Loaded[n.module] || m.Builtin[n.module] || m.Config[n.module] == "y" || n.module == "ip_vs" && m.IPVS || n.module == "macvlan" && m.Macvlan {
			continue
		}
		f := Finding{Why: n.why + "."}
		f.Cure, f.fix = loading(n.module)
		switch {
		case m.Loadable[n.module]:
			// The kernel and the daemon load these by themselves.
			if p.Status != nil || n.module != "ip_vs" {
				continue
			}
			f.Severity, f.What = Note, fmt.Sprintf("the module %s is not loaded yet; the daemon loads it when it may", n.module)
		case m.Unknown && m.builtWithout(n.module):
			f.Severity, f.What = Error, fmt.Sprintf("the kernel %s was built without %s", m.Kernel, n.module)
			f.Cure = fmt.Sprintf("boot a kernel with CONFIG_%s (in a container or virtual machine: its host has the kernel)", strings.ToUpper(n.module))
			f.fix = nil
		case m.Unknown && n.module == "ip_vs":
			f.Severity, f.What = Error, "the kernel has no IPVS now: there is no /proc/net/ip_vs"
		case m.Unknown:
			f.Severity, f.What = Note, fmt.Sprintf("the module %s is not loaded, and /lib/modules/%s does not say whether the kernel has it", n.module, m.Kernel)
		default:
			f.Severity, f.What = Error, fmt.Sprintf("the kernel %s has no module %s, neither built in nor on disk", m.Kernel, n.module)
			f.Cure = fmt.Sprintf("install the package with the modules of this kernel (Debian: linux-image, Ubuntu: linux-modules-extra-%s; Red Hat: kernel-modules), then modprobe %s", m.Kernel, n.module)
			f.fix = nil
		}
		found = append(found, f)
	}
	return found
}
