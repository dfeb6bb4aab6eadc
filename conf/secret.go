package conf

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 4096

// readSecret reads a file that nobody but its owner may read or change. The
// owner must be root, or whoever asks.
func readSecret(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not make us wait
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok || !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s may be read or changed by others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	case stat.Uid != 0 && int(stat.Uid) != os.Geteuid():
		return nil, fmt.Errorf("%s belongs to user %d, and must belong to root", path, stat.Uid)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(b) > maxSecret {
		err = fmt.Errorf("%s is too long for a secret", path)
	}
	return b, err
}
