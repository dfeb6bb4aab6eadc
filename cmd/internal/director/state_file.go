package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"holdfast/netdev/statefile"
)

// readFile reads JSON from a file of the runtime directory; there reports whether
// the file exists.
func readFile(path string, into any) (there bool, err error) {
	b, err := statefile.Read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return true, fmt.Errorf("%s: %w", path, err)
	}
	return true, nil
}
