package director

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/lvs"
)

// applySysctls sets the sysctls that are configured, and puts back those that are not
// configured any more. The former values are saved before the first change, so that
// a crash does not lose them. One that fails does not stop the others.
func (b *balancer) applySysctls() error {
	saved := b.memory.Sysctls()
	if len(b.sysctls) == 0 && len(saved) == 0 {
		return nil
	}
	now, errs := b.readSysctls(saved)
	former := maps.Clone(saved)
	for name := range b.sysctls {
		if _, known := former[name]; !known && now[name] != "" {
			if former == nil {
				former = map[string]string{}
			}
			former[name] = now[name]
		}
	}
	if !maps.Equal(former, saved) {
		if err := b.memory.SetSysctls(former); err != nil {
			return errors.Join(append(errs, fmt.Errorf("save the former sysctls of IPVS: %w", err))...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(now)) {
		want, configured := b.sysctls[name]
		if !configured {
			want = former[name]
		}
		if err := b.setSysctl(name, now[name], want); err != nil {
			errs = append(errs, err)
		} else if !configured {
			delete(former, name)
		}
	}
	return errors.Join(append(errs, b.forget(former))...)
}

// readSysctls returns the values of the sysctls that are or were configured. A sysctl
// that the kernel does not have is an error only if it is configured.
func (b *balancer) readSysctls(saved map[string]string) (now map[string]string, errs []error) {
	now = map[string]string{}
	names := slices.Concat(slices.Collect(maps.Keys(b.sysctls)), slices.Collect(maps.Keys(saved)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		value, err := b.kernel.Sysctl(name)
		if err == nil {
			now[name] = value
		} else if _, configured := b.sysctls[name]; configured || !errors.Is(err, lvs.ErrNoSysctl) {
			errs = append(errs, err)
		}
	}
	return now, errs
}

func (b *balancer) setSysctl(name, now, want string) error {
	if now == want {
		return nil
	}
	if err := b.kernel.SetSysctl(name, want); err != nil {
		return err
	}
	b.log.Info("ipvs sysctl", "name", "net.ipv4.vs."+name, "from", now, "to", want)
	return nil
}

// forget saves the former values that are still to be put back.
func (b *balancer) forget(former map[string]string) error {
	if maps.Equal(former, b.memory.Sysctls()) {
		return nil
	}
	if err := b.memory.SetSysctls(former); err != nil {
		return fmt.Errorf("save the former sysctls of IPVS: %w", err)
	}
	return nil
}
