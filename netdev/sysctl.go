package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const sysctlRoot = "/proc/sys/net"

// confKey returns the path below sysctlRoot of an interface's sysctl. Unlike the
// dotted form, a path is unambiguous for interface names with dots.
func confKey(family, name, setting string) string {
	return family + "/conf/" + name + "/" + setting
}

// sysctlName writes a key as sysctl(8) does, where a dot in an interface name
// becomes a slash: net.ipv4.conf.eth0/10.rp_filter.
func sysctlName(key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], ".", "/")
	}
	return "net." + strings.Join(parts, ".")
}

// readSysctl and writeSysctl do not use os.File. It would register each of the many
// small files with the poller, and take twice as long.
func readSysctl(key string) (string, error) {
	value, err := readValue(unix.AT_FDCWD, filepath.Join(sysctlRoot, key))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", sysctlName(key), reason(err))
	}
	return value, nil
}

// readValue reads the sysctl at a path relative to an open directory.
func readValue(at int, path string) (string, error) {
	fd, err := unix.Openat(at, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	var b [64]byte // enough for a number
	n, err := unix.Read(fd, b[:])
	return strings.TrimSpace(string(b[:max(n, 0)])), err
}

// writeSysctl writes a sysctl and reads it back, because a container runtime may
// accept a write and ignore it.
func writeSysctl(key, value string) error {
	if err := writeFile(filepath.Join(sysctlRoot, key), value); err != nil {
		return fmt.Errorf("set %s to %s: %w", sysctlName(key), value, reason(err))
	}
	now, err := readSysctl(key)
	if err != nil {
		return err
	}
	if now != value {
		return fmt.Errorf("set %s to %s: it reads back as %s", sysctlName(key), value, now)
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

// reason adds to an error what the administrator can do about it.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w: /proc/sys is mounted read-only here (a container?); it must be writable", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: CAP_NET_ADMIN in this network namespace is needed, and /proc/sys writable", err)
	}
	return err
}

// hasIPv6 reports whether the kernel has IPv6, and it is not disabled at boot.
func hasIPv6() bool {
	_, err := os.Stat(filepath.Join(sysctlRoot, "ipv6"))
	return err == nil
}
