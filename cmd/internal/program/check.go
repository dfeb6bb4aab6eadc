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

// maxLinks bounds how many symbolic links a path may contain, like the kernel's
// MAXSYMLINKS (linux/namei.h).
const maxLinks = 40

// Check returns why the program cannot or must not be run, or nil. It refuses a
// program whose user is unknown, or that has no absolute path, is missing, is not
// a regular file or is not executable. It also refuses one that a user other than
// root and the user it runs as could replace: nobody else may own or be able to
// write the file, a directory on its path, or a symbolic link on its path. A
// sticky directory such as /tmp does not count as writable, because nobody can
// replace another user's file in it.
func (p *Program) Check() error {
	if len(p.Argv) == 0 || p.Argv[0] == "" {
		return errors.New("no script is named")
	}
	info, err := p.safe(p.Argv[0])
	if err != nil {
		return err
	}
	return p.executable(info)
}

// CheckFile returns why the program must not be told to interpret a file, or nil.
// The file must be as safe as the program, but need not be executable.
func (p *Program) CheckFile(name string) error {
	_, err := p.safe(name)
	return err
}

// safe returns a regular file that nobody but root and the program's user can
// replace.
func (p *Program) safe(name string) (fs.FileInfo, error) {
	uid, err := p.uid()
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(name) {
		return nil, fmt.Errorf("script %q is not an absolute path", name)
	}
	info, err := walk(name, uid)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("script %s does not exist", name)
	}
	if err != nil {
		return nil, err
	}
	mode := info.Mode()
	switch who := intruder(info, uid); {
	case !mode.IsRegular():
		return nil, fmt.Errorf("script %s is not a regular file", name)
	case who != "":
		return nil, fmt.Errorf("script %s is writable by %s (mode %04o)", name, who, mode.Perm())
	}
	return info, nil
}

// executable returns why the program, whose file is info, cannot be run, or nil.
func (p *Program) executable(info fs.FileInfo) error {
	name, mode := p.Argv[0], info.Mode().Perm()
	uid, err := p.uid()
	if err != nil {
		return err
	}
	if mode&0o111 == 0 || int(uid) == os.Geteuid() && unix.Access(name, unix.X_OK) != nil {
		return fmt.Errorf("script %s is not executable (mode %04o)", name, mode)
	}
	return nil
}

// walk resolves a path as the kernel does and refuses it where a user other than
// root and uid could change where it leads. It returns the file it leads to.
func walk(name string, uid uint32) (fs.FileInfo, error) {
	at, links := "/", 0 // at never contains a symbolic link
	left := parts(name)
	info, err := os.Lstat(at)
	for err == nil && len(left) > 0 {
		if who := intruder(info, uid); who != "" {
			return nil, fmt.Errorf("script %s is in directory %s, which is writable by %s", name, at, who)
		}
		next := filepath.Join(at, left[0])
		left = left[1:]
		if info, err = os.Lstat(next); err != nil {
			break
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if who := stranger(info, uid); who != "" {
			return nil, fmt.Errorf("script %s is reached through the symbolic link %s, which belongs to %s", name, next, who)
		}
		target, readErr := os.Readlink(next)
		if links++; readErr != nil || links > maxLinks {
			return nil, fmt.Errorf("script %s: cannot follow the symbolic link %s: %w", name, next, errors.Join(readErr, unix.ELOOP))
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		left = append(parts(target), left...)
		info, err = os.Lstat(at)
	}
	if err != nil {
		return nil, fmt.Errorf("check script %s: %w", name, err)
	}
	return info, nil
}

func parts(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// intruder names a user or group, other than root and uid, that can write a file or
// directory; "" is nobody.
func intruder(info fs.FileInfo, uid uint32) string {
	stat := info.Sys().(*syscall.Stat_t) // always, for package os on Linux
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

// stranger names the owner of a file unless it is root or uid.
func stranger(info fs.FileInfo, uid uint32) string {
	if owner := info.Sys().(*syscall.Stat_t).Uid; owner != 0 && owner != uid {
		return fmt.Sprintf("user %d", owner)
	}
	return ""
}
