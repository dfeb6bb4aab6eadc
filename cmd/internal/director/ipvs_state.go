package director

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"holdfast/lvs"
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
	m.content.Services = keys
	return m.write()
}

// Timeouts returns the timeouts that IPVS had before us.
func (m *ipvsState) Timeouts() lvs.Timeouts { return m.content.Timeouts }

// SetTimeouts replaces them.
func (m *ipvsState) SetTimeouts(t lvs.Timeouts) error {
	m.content.Timeouts = t
	return m.write()
}

// write replaces the file in one step as far as a crash can see.
func (m *ipvsState) write() error {
	if len(m.content.Services) == 0 && m.content.Timeouts == (lvs.Timeouts{}) {
		return removeFile(m.path)
	}
	b, err := json.Marshal(m.content)
	if err != nil {
		return err
	}
	return replaceFile(m.path, b)
}
