package ipvs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"holdfast/lvs"
)

// sysctlDir has the settings of IPVS in the network namespace of the thread that
// reads it.
const sysctlDir = "/proc/sys/net/ipv4/vs"

// Sysctl returns the value of the sysctl net.ipv4.vs.NAME, with its numbers separated
// by one space. The error wraps lvs.ErrNoSysctl if the kernel does not have it.
func (c *Conn) Sysctl(name string) (string, error) {
	value, err := os.ReadFile(filepath.Join(c.sysctls, name))
	if err != nil {
		return "", sysctlError("read", name, err)
	}
	return strings.Join(strings.Fields(string(value)), " "), nil
}

// SetSysctl sets the sysctl net.ipv4.vs.NAME. Its error is like that of Sysctl.
func (c *Conn) SetSysctl(name, value string) error {
	f, err := os.OpenFile(filepath.Join(c.sysctls, name), os.O_WRONLY, 0)
	if err != nil {
		return sysctlError("set", name, err)
	}
	_, err = f.WriteString(value + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return sysctlError("set", name, err)
	}
	return nil
}

func sysctlError(verb, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		err = lvs.ErrNoSysctl
	}
	return fmt.Errorf("%s net.ipv4.vs.%s: %w", verb, name, err)
}

// estimates reports whether the kernel estimates rates. Kernels before 6.2 do not
// have the sysctl run_estimation and always do.
func (c *Conn) estimates() bool {
	value, err := c.Sysctl("run_estimation")
	return err != nil || value != "0"
}
