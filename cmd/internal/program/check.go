package program

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxLinks bounds the symbolic links on the way to a program, as the kernel does.
const maxLinks = 40

// Check returns why the program cannot or must not be run: its user is unknown,
// it has no absolute path, is missing, not a regular file, not executable; or
// somebody other than root and the user that it runs as could put another in its
// place, because the file, a directory on the way to it, or the place of a
// symbolic link on that way is theirs or can be written by them. A sticky
// directory such as /tmp is not counted as writable: there nobody can replace
// what is another's.
func (p *Program) Check() error {
	if len(p.Argv) == 0 || p.Argv[0] == "" {
		return errors.New("no script is named")
	}
	uid, err := p.uid()
	if err != nil {
		return err
	}
	name := p.Argv[0]
	if !filepath.IsAbs(name) {
		return fmt.Errorf("script %q is not an absolute path", name)
	}
	info, err := walk(name, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("script %s does not exist", name)
	}
	if err != nil {
		return err
	}
	mode := info.Mode()
	switch who := intruder(info, uid); {
	case !mode.IsRegular():
		return fmt.Errorf("script %s is not a regular file", name)
	case mode.Perm()&0o111 == 0 || int(uid) == os.Geteuid() && unix.Access(name, unix.X_OK) != nil:
		return fmt.Errorf("script %s is not executable (mode %04o)", name, mode.Perm())
	case who != "":
		return fmt.Errorf("script %s is writable by %s (mode %04o)", name, who, mode.Perm())
	}
	return nil
}

// walk goes the way to a file as the kernel would, and refuses it where somebody
// could lead it elsewhere. It returns what is at the end.
func walk(name string, uid uint32) (fs.FileInfo, error) {
	at, links := "/", 0
	left := parts(name)
	info, err := os.Lstat(at)
	for err == nil && len(left) > 0 {
		if who := intruder(info, uid); who != "" {
			return nil, fmt.Errorf("script %s lies in %s, which is writable by %s", name, at, who)
		}
		next := filepath.Join(at, left[0]) // ".." leads to the parent: at has no links
		left = left[1:]
		if info, err = os.Lstat(next); err != nil {
			break
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if who := stranger(info, uid); who != "" {
			return nil, fmt.Errorf("script %s is reached by the link %s, which belongs to %s", name, next, who)
		}
		target, readErr := os.Readlink(next)
		if links++; readErr != nil || links > maxLinks {
			return nil, fmt.Errorf("script %s: cannot follow the link %s: %w", name, next, errors.Join(readErr, unix.ELOOP))
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		left = append(parts(target), left...)
		info, err = os.Lstat(at)
	}
	if err != nil {
		return nil, fmt.Errorf("look at script %s: %w", name, err)
	}
	return info, nil
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// intruder says who but root and uid can change a file or directory; "" is nobody.
func intruder(info fs.FileInfo, uid uint32) string {
	stat := info.Sys().(*syscall.Stat_t) // of os, on Linux, it is nothing else
	mode := info.Mode()
	sticky := info.IsDir() && mode&fs.ModeSticky != 0
	switch {
	case mode.Perm()&0o002 != 0 && !sticky:
		return "everybody"
	case mode.Perm()&0o020 != 0 && stat.Gid != 0 && !sticky:
		return fmt.Sprintf("group %d", stat.Gid)
	}
	return stranger(info, uid)
}

// stranger says who owns a file if that is neither root nor uid.
func stranger(info fs.FileInfo, uid uint32) string {
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && owner != uid {
		return fmt.Sprintf("user %d", owner)
	}
	return ""
}
