package uml

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"holdfast/integration/tools"
)

// guestVariable is set for a program that runs in a guest of this package.
const guestVariable = "HOLDFAST_UML_GUEST"

// memory of the guest. The host gives only what the guest touches.
const memory = "1024M"

// Main prepares, and runs the tests where IPVS is: here, or in a guest. It does
// not return.
func Main(m *testing.M, prepare ...func() error) {
	flag.Parse()
	for _, f := range prepare {
		if err := f(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	Ensure()
	os.Exit(m.Run())
}

// Ensure returns if the running kernel has IPVS. Otherwise it runs this
// program again in guests and exits with their status; the caller sees Ensure
// return only in the guest. Flags of package flag must be parsed before, for
// -test.timeout to bound the guest's life.
func Ensure() {
	if Ready() {
		return
	}
	status, err := runTests()
	if err != nil {
		fmt.Fprintln(os.Stderr, "uml:", err)
		if errors.Is(err, tools.ErrMissing) && !tools.Required("ipvs") {
			fmt.Fprintln(os.Stderr, "uml: skipped: the running kernel has no IPVS, and there is no User Mode Linux to run in")
			os.Exit(0)
		}
		os.Exit(1)
	}
	os.Exit(status)
}

// Ready reports whether IPVS is here and Run need not be called.
func Ready() bool { return Guest() || native() }

// Guest reports whether this program runs in a guest of this package.
func Guest() bool { return os.Getenv(guestVariable) != "" }

// native reports whether this kernel has IPVS and we may use it.
func native() bool {
	if os.Getenv("HOLDFAST_UML") == "always" || os.Geteuid() != 0 {
		return false
	}
	_, err := netlink.GenlFamilyGet("IPVS")
	return err == nil
}

// Run boots a guest, runs this program in it with the same arguments, and
// returns its exit status. The error wraps tools.ErrMissing if there is no
// User Mode Linux.
func Run() (int, error) { return runGuest(os.Args[1:], os.Stdout, os.Stderr) }

// runGuest is Run with the arguments args, and with other places for what the
// program writes.
func runGuest(args []string, stdout, stderr io.Writer) (int, error) {
	if os.Getenv("HOLDFAST_UML") == "never" {
		return 0, fmt.Errorf("a guest is needed and HOLDFAST_UML=never forbids it: %w", tools.ErrMissing)
	}
	kernel, err := tools.Find("linux.uml")
	if err != nil {
		return 0, err
	}
	o, err := makeOrder(args)
	if err != nil {
		return 0, err
	}
	shared, err := os.MkdirTemp("", "holdfast-uml-")
	if err != nil {
		return 0, fmt.Errorf("make a folder to share with the guest: %w", err)
	}
	defer os.RemoveAll(shared)
	if err := o.write(shared); err != nil {
		return 0, err
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGQUIT, unix.SIGHUP)
	defer stop()
	if limit := lifetime(); limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	console, err := boot(ctx, kernel, o.Program, shared, stdout, stderr)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("guest ended: %w", ctx.Err())
	}
	status, readErr := os.ReadFile(filepath.Join(shared, "status"))
	if readErr != nil {
		return 0, fmt.Errorf("the guest left no exit status: %w; its console said:\n%s", errors.Join(err, readErr), console)
	}
	return strconv.Atoi(strings.TrimSpace(string(status)))
}

// lifetime bounds the guest: the tests' own time limit fires inside it first.
func lifetime() time.Duration {
	limit := flag.Lookup("test.timeout")
	if limit == nil {
		return 0
	}
	timeout, ok := limit.Value.(flag.Getter).Get().(time.Duration)
	if !ok || timeout <= 0 {
		return 0
	}
	return timeout + 20*time.Second
}

func makeOrder(args []string) (order, error) {
	program, err := os.Executable()
	if err != nil {
		return order{}, fmt.Errorf("find this program: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return order{}, fmt.Errorf("find the working directory: %w", err)
	}
	modprobe, err := tools.Find("modprobe")
	if err != nil {
		return order{}, err
	}
	modules := filepath.Join(tools.Cache(), "root/usr/lib/uml/modules")
	if _, err := os.Stat(modules); err != nil {
		modules = "/usr/lib/uml/modules"
	}
	keep := []string{filepath.Dir(program), dir, tools.Cache()}
	if root, err := tools.ModuleRoot(); err == nil {
		keep = append(keep, root)
	}
	if binary := os.Getenv("HOLDFAST_BIN"); filepath.IsAbs(binary) {
		keep = append(keep, filepath.Dir(binary))
	}
	env := append(os.Environ(),
		guestVariable+"=1",
		"PATH="+tools.Bin()+":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=/tmp", "HOLDFAST_CACHE="+tools.Cache())
	return order{
		Program: program, Args: guestArgs(args), Env: env, Dir: dir,
		Keep: keep, Modules: modules, Modprobe: modprobe,
	}, nil
}

// guestArgs drops what go test asks for that only makes sense outside: the
// list of files a test opened, for go's cache of results.
func guestArgs(args []string) []string {
	kept := make([]string, 0, len(args))
	for _, arg := range args {
		if !strings.HasPrefix(strings.TrimLeft(arg, "-"), "test.testlogfile=") {
			kept = append(kept, arg)
		}
	}
	return kept
}

// favour gives a guest, which has a session of its own, the processor before others.
// What else the machine does stops a guest whole: each of its directors then misses the
// other's adverts. An ordinary user's guest stays where it is.
func favour(pid int) {
	const nice = -15
	_ = unix.Setpriority(unix.PRIO_PROCESS, pid, nice)
	// With CONFIG_SCHED_AUTOGROUP that counts only among the processes of one session: sched(7).
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/autogroup", pid), []byte(strconv.Itoa(nice)), 0)
}

// boot runs the kernel until it halts and returns what its console said. The
// program's output travels over two serial lines, apart from the console's.
func boot(ctx context.Context, kernel, program, shared string, stdout, stderr io.Writer) (string, error) {
	cmd := exec.Command(kernel,
		"mem="+memory, "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", "quiet",
		"init="+program, orderVariable+"="+shared,
		"uml_dir="+shared, "umid=guest", "con=null", "con0=null,fd:1",
		"ssl=null", "ssl0=null,fd:3", "ssl1=null,fd:4")
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	// A session of its own: an interrupt from the terminal must not reach the
	// guest's processes before we have said what happened.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL}
	var copies sync.WaitGroup
	for _, to := range []io.Writer{stdout, stderr} {
		from, guestEnd, err := os.Pipe()
		if err != nil {
			return "", fmt.Errorf("make a pipe for the guest: %w", err)
		}
		defer from.Close()
		defer guestEnd.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, guestEnd)
		copies.Go(func() { _, _ = io.Copy(to, from) })
	}
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", kernel, err)
	}
	favour(cmd.Process.Pid)
	for _, guestEnd := range cmd.ExtraFiles {
		guestEnd.Close()
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
			_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		case <-ended:
		}
	}()
	err := cmd.Wait()
	close(ended)
	// The kernel's helper processes hold the pipes too.
	_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	copies.Wait()
	return console.String(), err
}
