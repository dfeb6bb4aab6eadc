package uml

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// orderVariable names, in the guest's environment, the folder shared with the
// host: the order is read from it, the exit status written to it.
const orderVariable = "HOLDFAST_UML_ORDER"

// order is what the host wants the guest to run.
type order struct {
	Program string
	Args    []string // without the program's name
	Env     []string
	Dir     string
	// Keep are folders of the host that must stay visible although the guest
	// mounts something empty over a folder above them.
	Keep []string
	// Kernel modules of the guest: .../modules, with a folder per version.
	Modules string
	// Modprobe is the path of the program that loads them.
	Modprobe string
}

func (o order) write(shared string) error {
	text, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode the guest's order: %w", err)
	}
	return os.WriteFile(filepath.Join(shared, "order"), text, 0o600)
}

func readOrder(shared string) (order, error) {
	var o order
	text, err := os.ReadFile(filepath.Join(shared, "order"))
	if err != nil {
		return o, fmt.Errorf("read the guest's order: %w", err)
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("decode the guest's order: %w", err)
	}
	return o, nil
}
