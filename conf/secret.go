package conf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSecret bounds a file with a secret, in bytes. A private key of 16384 bits has
// some 13000.
const maxSecret = 64 << 10

// readSecret reads a secret from a secretPath. Only its owner may change the file, and
// nobody but its group may read it beside the owner: the daemon of the package is not
// root, and reads files of root as a member of their group. The owner must be root or
// the user of this process.
func readSecret(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return readCredential(path)
	}
	return readPrivate(path, 0o037)
}

// readPrivate reads a file of root or of the user of this process, which has none of the
// forbidden permissions.
func readPrivate(path string, forbidden fs.FileMode) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&forbidden != 0 {
		return nil, fmt.Errorf("%s can be read or changed by others (mode %04o): chmod 640 %s", path, info.Mode().Perm(), path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return nil, fmt.Errorf("%s belongs to user %d: it must belong to root", path, stat.Uid)
	}
	return readAll(f, maxSecret)
}
