// Package servers_test asks real servers, as Debian ships them, by every kind
// of check. One file a server.
//
// A test makes a machine, on which every package that make tools fetched is as
// though it were installed, writes the server's configuration, starts it, and
// says what each check must find: see [machine] and [machine.prove]. The checks
// come from configuration files, as the daemon reads them.
package servers_test

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"holdfast/integration/lab"
)

// director is from where the checks of IPv4 addresses come. A server treats a client
// that has its own address as local, and many trust it then.
var director = netip.MustParseAddr("192.0.2.254")

// insideVariable tells the test's process that it is the one in namespaces.
const insideVariable = "HOLDFAST_TEST_INSIDE"

// TestMain runs the tests in network, process and mount namespaces of their own.
// Nothing that a server does or leaves behind outlives them.
func TestMain(m *testing.M) {
	if os.Geteuid() != 0 { // every test says why it cannot run
		os.Exit(m.Run())
	}
	if os.Getenv(insideVariable) == "" {
		if err := lab.Build(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	} else {
		if err := furnish(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	// The kernel ends the child when the thread that started it ends.
	runtime.LockOSThread()
	inside := exec.Command("/proc/self/exe", os.Args[1:]...)
	inside.Env = append(os.Environ(), insideVariable+"=1")
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID,
		Pdeathsig:  unix.SIGKILL,
	}
	err := inside.Run()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		fmt.Fprintln(os.Stderr, "namespaces for the tests:", err)
		os.Exit(1)
	}
	os.Exit(inside.ProcessState.ExitCode())
}

// forbidMark makes a rule, before that of the local addresses, by which packets with a mark
// go nowhere.
func forbidMark(mark uint32) error {
	rule := func(priority, table int) *netlink.Rule {
		r := netlink.NewRule()
		r.Family, r.Priority, r.Table = netlink.FAMILY_V4, priority, table
		return r
	}
	if err := netlink.RuleAdd(rule(2, unix.RT_TABLE_LOCAL)); err != nil {
		return err
	}
	forbidden := rule(1, 0)
	forbidden.Mark, forbidden.Type = mark, unix.RTN_UNREACHABLE
	if err := netlink.RuleAdd(forbidden); err != nil {
		return err
	}
	return netlink.RuleDel(rule(0, unix.RT_TABLE_LOCAL))
}

// furnish gives the namespaces a loopback device and a list of processes.
func furnish() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find lo: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring lo up: %w", err)
	}
	if err := addAddress(director); err != nil {
		return fmt.Errorf("add address %v: %w", director, err)
	}
	if err := forbidMark(7); err != nil {
		return fmt.Errorf("make a rule for a mark: %w", err)
	}
	// The tests wait most of the time, so more of them run at once than there are
	// processors, unless the command line says how many.
	if err := flag.Set("test.parallel", "16"); err != nil {
		return err
	}
	return nil
}
