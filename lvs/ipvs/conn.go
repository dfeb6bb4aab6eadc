package ipvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/lvs"
)

// ErrAbsent is wrapped by the error of Open if the kernel has no IPVS and its
// module cannot be loaded.
var ErrAbsent = errors.New("the kernel has no IPVS")

// modprobeTimeout bounds the loading of module ip_vs.
const modprobeTimeout = 10 * time.Second

// A Conn gives access to the IPVS table of the network namespace in which it was
// opened. It is safe for concurrent use: calls wait for each other.
type Conn struct {
	mu      sync.Mutex
	own     transport
	sysctls string // the directory of the sysctls
}

// transport is the part of a socket that a Conn uses.
type transport interface {
	do(request) ([][]byte, error)
	dump(request) ([][]byte, error)
	batch([]request) []error
	close()
}

var _ lvs.Kernel = (*Conn)(nil)

// Open connects to IPVS. It loads the module ip_vs with modprobe if the kernel
// does not have it yet. If that fails, the error wraps ErrAbsent and says what
// to do. Without CAP_NET_ADMIN the error wraps EPERM. ctx bounds Open only.
func Open(ctx context.Context, log *slog.Logger) (*Conn, error) {
	s, err := openFamily(ctx, familyName, "modprobe")
	if err != nil {
		return nil, err
	}
	c := &Conn{own: &guard{of: s, timeout: callTimeout}, sysctls: sysctlDir}
	info, err := c.info()
	if err != nil {
		s.close()
		if errors.Is(err, syscall.EPERM) {
			return nil, fmt.Errorf("open IPVS: CAP_NET_ADMIN is needed: %w", err)
		}
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	log.Debug("opened IPVS", "version", info.version, "connection_table", info.tableSize)
	return c, nil
}

// openFamily returns a socket for a generic netlink family. It runs modprobe if the
// kernel does not have the family.
func openFamily(ctx context.Context, family, modprobe string) (*socket, error) {
	s, err := openSocket()
	if err != nil {
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	if s.family, err = s.find(family); errors.Is(err, syscall.ENOENT) {
		loading := load(ctx, modprobe)
		if s.family, err = s.find(family); errors.Is(err, syscall.ENOENT) {
			err = absent(loading)
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	return s, nil
}

// absent returns the error for a kernel without IPVS; tried is why modprobe failed.
func absent(tried error) error {
	err := fmt.Errorf("%w: load its module with \"modprobe ip_vs\" (in a container: on the host)", ErrAbsent)
	if tried != nil {
		err = fmt.Errorf("%w; holdfast tried that: %w", err, tried)
	}
	return err
}

// Check says why Open would fail. It changes nothing: it does not load a module that
// can be loaded.
func Check(ctx context.Context) error { return check(ctx, familyName, "modprobe") }

func check(ctx context.Context, family, modprobe string) error {
	s, err := openSocket()
	if err != nil {
		return fmt.Errorf("look for IPVS: %w", err)
	}
	defer s.close()
	_, err = s.find(family)
	if errors.Is(err, syscall.ENOENT) {
		if err = load(ctx, modprobe, "--dry-run"); err != nil {
			err = absent(err)
		}
	}
	return err
}

// load runs modprobe ip_vs, with further options.
func load(ctx context.Context, modprobe string, options ...string) error {
	ctx, cancel := context.WithTimeout(ctx, modprobeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, modprobe, append(options, "-q", "ip_vs")...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if said := strings.TrimSpace(string(out)); err != nil && said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// Close closes the socket. The table stays as it is.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own.close()
}
