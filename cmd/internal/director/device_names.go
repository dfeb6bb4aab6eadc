package director

import "sync"

// deviceNames says which devices a router has, and whether it still needs them.
// The hands ask from another goroutine than the one that knows.
type deviceNames struct {
	mu      sync.Mutex
	device  map[string][]string // by router
	leaving map[string]bool
}

func newDeviceNames() *deviceNames {
	return &deviceNames{device: map[string][]string{}, leaving: map[string]bool{}}
}

func (n *deviceNames) set(router string, devices []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.device[router] = devices
}

// leave notes that a router is being stopped for good.
func (n *deviceNames) leave(router string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaving[router] = true
}

func (n *deviceNames) forget(router string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.device, router)
	delete(n.leaving, router)
}

func (n *deviceNames) of(router string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.device[router]
}

func (n *deviceNames) leaves(router string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leaving[router]
}
