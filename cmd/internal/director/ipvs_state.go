package director

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"holdfast/lvs"
)

// A memory is what the director writes under its runtime directory so that a
// later run knows what this one has left in the kernel. Nothing to remember is
// no file.
type memory struct {
	path    string
	content remembered
}

type remembered struct {
	// Services are the virtual services that are ours.
	Services []lvs.Key `json:"services,omitempty"`
	// Timeouts are those that IPVS had before we set ours; zero: we have not.
	Timeouts lvs.Timeouts `json:"timeouts,omitzero"`
}

// recall reads the memory of a former run. What cannot be read is said, and
// counts as nothing: services that nobody knows are left alone.
func recall(dir string) (*memory, error) {
	m := &memory{path: filepath.Join(dir, "ipvs.json")}
	if _, err := readFile(m.path, &m.content); err != nil {
		m.content = remembered{}
		return m, fmt.Errorf("read what a former run left: %w", err)
	}
	return m, nil
}

// Services returns the virtual services that are ours.
func (m *memory) Services() []lvs.Key { return m.content.Services }

// SetServices replaces them.
func (m *memory) SetServices(keys []lvs.Key) error {
	m.content.Services = keys
	return m.write()
}

// Timeouts returns the timeouts that IPVS had before us.
func (m *memory) Timeouts() lvs.Timeouts { return m.content.Timeouts }

// SetTimeouts replaces them.
func (m *memory) SetTimeouts(t lvs.Timeouts) error {
	m.content.Timeouts = t
	return m.write()
}

// write replaces the file in one step as far as a crash can see.
func (m *memory) write() error {
	if len(m.content.Services) == 0 && m.content.Timeouts == (lvs.Timeouts{}) {
		return removeFile(m.path)
	}
	b, err := json.Marshal(m.content)
	if err != nil {
		return err
	}
	return replaceFile(m.path, b)
}
