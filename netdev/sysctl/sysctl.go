// Package sysctl reads and writes the network settings of the kernel under
// /proc/sys/net. A key is a path below it, such as "ipv4/conf/eth0/rp_filter".
package sysctl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is the folder of the settings.
const Root = "/proc/sys/net"

// Key returns the path below Root of an interface's sysctl. Unlike the
// dotted form, a path is unambiguous for interface names with dots.
func Key(family, name, setting string) string {
	return family + "/conf/" + name + "/" + setting
}

// Name writes a key as sysctl(8) does, where a dot in an interface name
// becomes a slash: net.ipv4.conf.eth0/10.rp_filter.
func Name(key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], ".", "/")
	}
	return "net." + strings.Join(parts, ".")
}

// Read returns the value of a setting. Read and Write do not use os.File, which
// would register each of the many small files with the poller and take twice as
// long.
func Read(key string) (string, error) {
	value, err := ReadAt(unix.AT_FDCWD, filepath.Join(Root, key))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", Name(key), Explain(err))
	}
	return value, nil
}

// ReadAt reads the sysctl at a path relative to an open directory.
func ReadAt(at int, path string) (string, error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var b [64]byte // enough for a number
	n, err := unix.Read(fd, b[:])
	return strings.TrimSpace(string(b[:max(n, 0)])), err
}

// Write writes a sysctl and reads it back, because a container runtime may
// accept a write and ignore it.
func Write(key, value string) error {
	if err := writeFile(filepath.Join(Root, key), value); err != nil {
		return fmt.Errorf("set %s to %s: %w", Name(key), value, Explain(err))
	}
	now, err := Read(key)
	if err != nil {
		return err
	}
	if now != value {
		return fmt.Errorf("set %s to %s: it reads back as %s", Name(key), value, now)
	}
	return nil
}

func writeFile(path, value string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte(value))
	return errors.Join(err, unix.Close(fd))
}

// Explain adds to an error what the administrator can do about it.
func Explain(err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: /proc/sys is mounted read-only here (a container?); it must be writable", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: CAP_NET_ADMIN in this network namespace is needed, and /proc/sys writable", err)
	}
	return err
}

// HasIPv6 reports whether the kernel has IPv6, and it is not disabled at boot.
func HasIPv6() bool {
	_, err := os.Stat(filepath.Join(Root, "ipv6"))
	return err == nil
}
