package uml

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The program is also the guest's init: the kernel starts it as process 1 and
// main must never run there.
func init() {
	shared := os.Getenv(orderVariable)
	if os.Getpid() != 1 || shared == "" {
		return
	}
	status, err := serve(shared)
	if err != nil {
		fmt.Fprintln(os.Stderr, "uml guest:", err)
		status = 125
	}
	result := filepath.Join(shared, "status")
	if err := writeSynced(result, strconv.Itoa(status)); err != nil {
		fmt.Fprintln(os.Stderr, "uml guest:", err)
	}
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	fmt.Fprintln(os.Stderr, "uml guest: power off:", err)
	os.Exit(1)
}

// serve is the life of the guest: make it a system, run the ordered program,
// and return its exit status.
func serve(shared string) (int, error) {
	o, err := readOrder(shared)
	if err != nil {
		return 0, err
	}
	if err := mountAll(append(o.Keep, shared), shared); err != nil {
		return 0, err
	}
	if err := loadModules(o); err != nil {
		return 0, err
	}
	if err := prepareNetwork(); err != nil {
		return 0, err
	}
	return run(o)
}

type mount struct {
	kind, target, data string
	flags              uintptr
}

// mountAll gives the guest its own kernel file systems and scratch folders,
// and brings back the host's folders that the scratch folders hide. Only the
// shared folder is writable.
func mountAll(keep []string, shared string) error {
	mounts := []mount{
		{kind: "proc", target: "/proc"},
		{kind: "sysfs", target: "/sys"},
		{kind: "devtmpfs", target: "/dev"},
		{kind: "tmpfs", target: "/run"},
		{kind: "tmpfs", target: "/tmp"},
		{kind: "tmpfs", target: "/mnt"},
		{kind: "tmpfs", target: "/var/tmp"},
	}
	for _, dir := range keep {
		flags := uintptr(unix.MS_RDONLY)
		if dir == shared {
			flags = 0
		}
		if dir == shared || hidden(dir) {
			mounts = append(mounts, mount{kind: "hostfs", target: dir, data: dir, flags: flags})
		}
	}
	for _, m := range mounts {
		if m.kind == "hostfs" {
			if err := os.MkdirAll(m.target, 0o755); err != nil {
				return fmt.Errorf("make %s: %w", m.target, err)
			}
		}
		err := unix.Mount(m.kind, m.target, m.kind, m.flags, m.data)
		if m.kind == "devtmpfs" && errors.Is(err, unix.EBUSY) {
			err = nil // the kernel has mounted it already
		}
		if err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
		}
	}
	for _, dir := range []string{"/run/netns", "/run/lock"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make %s: %w", dir, err)
		}
	}
	return nil
}

func hidden(dir string) bool {
	for _, scratch := range []string{"/run/", "/tmp/", "/mnt/", "/var/tmp/"} {
		if strings.HasPrefix(dir+"/", scratch) {
			return true
		}
	}
	return false
}

// loadModules makes modprobe work, for us and for the kernel's own requests,
// although the modules are not in the root's /lib/modules.
func loadModules(o order) error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return fmt.Errorf("ask for the kernel's version: %w", err)
	}
	version := unix.ByteSliceToString(name.Release[:])
	const root = "/run/modroot"
	if err := os.MkdirAll(root+"/lib/modules", 0o755); err != nil {
		return fmt.Errorf("make a root for modules: %w", err)
	}
	if err := os.Symlink(filepath.Join(o.Modules, version), root+"/lib/modules/"+version); err != nil {
		return fmt.Errorf("link the modules of %s: %w", version, err)
	}
	const helper = "/run/modprobe"
	script := fmt.Sprintf("#!/bin/sh\nexec %s -d %s \"$@\"\n", o.Modprobe, root)
	if err := os.WriteFile(helper, []byte(script), 0o755); err != nil {
		return fmt.Errorf("write the module helper: %w", err)
	}
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(helper), 0); err != nil {
		return fmt.Errorf("set the kernel's module helper: %w", err)
	}
	out, err := exec.Command(helper, append([]string{"-q", "-a"}, Modules...)...).CombinedOutput()
	// A module that this kernel lacks is the business of the test that needs
	// it; a helper that cannot run at all is ours.
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return fmt.Errorf("load modules: %w", err)
	}
	if len(out) > 0 {
		fmt.Printf("modprobe: %s", out)
	}
	return nil
}

func prepareNetwork() error {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	return nil
}

// run starts the ordered program on the two serial lines that lead to the
// host's standard output and error, and waits for it. Process 1 inherits the
// orphans: it reaps whatever ends meanwhile.
func run(o order) (int, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, fmt.Errorf("open the null device: %w", err)
	}
	stdout, err := openLine("/dev/ttyS0")
	if err != nil {
		return 0, err
	}
	stderr, err := openLine("/dev/ttyS1")
	if err != nil {
		return 0, err
	}
	process, err := os.StartProcess(o.Program, append([]string{o.Program}, o.Args...), &os.ProcAttr{
		Dir: o.Dir, Env: o.Env, Files: []*os.File{null, stdout, stderr},
		Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", o.Program, err)
	}
	status, err := reapUntil(process.Pid)
	for _, line := range []*os.File{stdout, stderr} {
		// TCSBRK with a non-zero argument waits until the line has sent all.
		if err := unix.IoctlSetInt(int(line.Fd()), unix.TCSBRK, 1); err != nil {
			return 0, fmt.Errorf("drain %s: %w", line.Name(), err)
		}
	}
	return status, err
}

func reapUntil(pid int) (int, error) {
	for {
		var status unix.WaitStatus
		got, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, fmt.Errorf("wait for process %d: %w", pid, err)
		case got == pid && status.Signaled():
			return 128 + int(status.Signal()), nil
		case got == pid && status.Exited():
			return status.ExitStatus(), nil
		}
	}
}

// openLine opens a serial line without the terminal's habits: no echo, and no
// carriage returns in the output.
func openLine(path string) (*os.File, error) {
	line, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open serial line: %w", err)
	}
	settings, err := unix.IoctlGetTermios(int(line.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read settings of %s: %w", path, err)
	}
	settings.Oflag &^= unix.OPOST
	settings.Lflag &^= unix.ECHO | unix.ICANON | unix.ISIG
	if err := unix.IoctlSetTermios(int(line.Fd()), unix.TCSETS, settings); err != nil {
		return nil, fmt.Errorf("change settings of %s: %w", path, err)
	}
	return line, nil
}

func writeSynced(path, text string) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if _, err := file.WriteString(text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return file.Close()
}
