package director

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"

	"holdfast/lvs"
	"holdfast/netdev/statefile"
)

// An ipvsState is the file ipvs.json in the runtime directory. It tells a later run
// what this one has left in the kernel. There is no file when there is nothing left.
type ipvsState struct {
	path    string
	content ipvsContent
}

type ipvsContent struct {
	// Services are the virtual services that are ours.
	Services []lvs.Key `json:"services,omitempty"`
	// Timeouts are those that IPVS had before we set ours; zero: we have not.
	Timeouts lvs.Timeouts `json:"timeouts,omitzero"`
	// Sysctls are the values that net.ipv4.vs.NAME had before we set it, by NAME.
	Sysctls map[string]string `json:"sysctls,omitempty"`
	// Interfaces are the values that sysctls of interfaces had before us, by their path
	// below /proc/sys/net.
	Interfaces map[string]string `json:"interfaces,omitempty"`
	// Sync: we have started sync daemons, or were about to.
	Sync bool `json:"sync,omitempty"`
}

// left reports whether a former run may have left something in the kernel.
func (m *ipvsState) left() bool {
	c := &m.content
	return len(c.Services) > 0 || c.Timeouts != (lvs.Timeouts{}) || len(c.Sysctls) > 0 || len(c.Interfaces) > 0 || c.Sync
}

// readIPVSState reads what a former run wrote. With an error the state is empty, so
// that the services which that run left are not touched.
func readIPVSState(dir string) (*ipvsState, error) {
	m := &ipvsState{path: filepath.Join(dir, "ipvs.json")}
	if _, err := readFile(m.path, &m.content); err != nil {
		m.content = ipvsContent{}
		return m, fmt.Errorf("read what a former run left: %w", err)
	}
	return m, nil
}

// Services returns the virtual services that are ours.
func (m *ipvsState) Services() []lvs.Key { return m.content.Services }

// SetServices replaces them.
func (m *ipvsState) SetServices(keys []lvs.Key) error {
	content := m.content
	content.Services = keys
	return m.write(content)
}

// Timeouts returns the timeouts that IPVS had before us.
func (m *ipvsState) Timeouts() lvs.Timeouts { return m.content.Timeouts }

// SetTimeouts replaces them.
func (m *ipvsState) SetTimeouts(t lvs.Timeouts) error {
	content := m.content
	content.Timeouts = t
	return m.write(content)
}

// Sysctls returns the values that sysctls had before us.
func (m *ipvsState) Sysctls() map[string]string { return maps.Clone(m.content.Sysctls) }

// SetSysctls replaces them.
func (m *ipvsState) SetSysctls(former map[string]string) error {
	content := m.content
	content.Sysctls = former
	return m.write(content)
}

// Interfaces returns the values that sysctls of interfaces had before us.
func (m *ipvsState) Interfaces() map[string]string { return maps.Clone(m.content.Interfaces) }

// SetInterfaces replaces them.
func (m *ipvsState) SetInterfaces(former map[string]string) error {
	content := m.content
	content.Interfaces = maps.Clone(former)
	return m.write(content)
}

// Sync reports whether sync daemons in the kernel are ours.
func (m *ipvsState) Sync() bool { return m.content.Sync }

// SetSync notes whether sync daemons in the kernel are ours.
func (m *ipvsState) SetSync(ours bool) error {
	if ours == m.content.Sync {
		return nil
	}
	content := m.content
	content.Sync = ours
	return m.write(content)
}

// write writes the file, in one step as far as a crash can see. If that fails the
// content stays as it was: it is always what a later run would read.
func (m *ipvsState) write(content ipvsContent) error {
	var err error
	if next := (ipvsState{content: content}); !next.left() {
		err = statefile.Remove(m.path)
	} else if b, failed := json.Marshal(content); failed != nil {
		err = failed
	} else {
		err = statefile.Replace(m.path, b)
	}
	if err == nil {
		m.content = content
	}
	return err
}
