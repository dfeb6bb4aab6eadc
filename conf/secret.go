package conf

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// maxSecret bounds a file with a secret, in bytes. A private key of 16384 bits has
// some 13000.
const maxSecret = 64 << 10

// readSecret reads a secret from a secretPath. Only its owner may change the file, which
// must be root or the user of this process, and nobody else may read it: see tooOpen.
func readSecret(path string) ([]byte, error) {
	if !filepath.IsAbs(path) {
		return readCredential(path)
	}
	return readPrivate(path)
}

// readPrivate reads a file of root, of the user of this process or of a further owner
// that is not too open.
func readPrivate(path string, owners ...int) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if uid := owner(info); !slices.Contains(append(owners, 0, os.Geteuid()), uid) {
		return nil, fmt.Errorf("%s belongs to user %d: it must belong to root", path, uid)
	}
	if most, open := tooOpen(info.Mode(), owner(info)); open {
		return nil, fmt.Errorf("%s can be read or changed by others (mode %04o): chmod %o %s", path, info.Mode().Perm(), most, path)
	}
	return readAll(f, maxSecret)
}

// tooOpen reports whether the permissions of a file with a secret are too wide, and the
// widest that are not. Its group may read a file of root, because the daemon of the package
// is not root and reads it as a member. The group of any other owner has members that
// nobody chose for the secret. PostgreSQL has the same rule for private keys.
func tooOpen(mode fs.FileMode, uid int) (most fs.FileMode, open bool) {
	most = 0o600
	if uid == 0 {
		most = 0o640
	}
	return most, mode.Perm()&0o077&^most != 0
}

// owner returns the user that a file belongs to.
func owner(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }
