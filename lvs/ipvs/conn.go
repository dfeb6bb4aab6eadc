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

	moby "github.com/moby/ipvs"

	"holdfast/lvs"
)

// ErrAbsent is wrapped by the error of Open if the kernel has no IPVS and its
// module cannot be loaded.
var ErrAbsent = errors.New("the kernel has no IPVS")

// modprobeTimeout bounds the loading of module ip_vs.
const modprobeTimeout = 10 * time.Second

// callTimeout bounds a call of moby/ipvs, whose own timeout has no effect. During a
// call the kernel may have to load the module of a scheduler.
const callTimeout = 5 * time.Second

// A Conn gives access to the IPVS table of the network namespace in which it was
// opened. It is safe for concurrent use: calls wait for each other.
type Conn struct {
	mu       sync.Mutex
	own      transport
	moby     *moby.Handle  // nil after a call has timed out
	watchdog time.Duration // the timeout of a call of moby
	sysctls  string        // the directory of the sysctls
}

// transport is the part of a socket that a Conn uses.
type transport interface {
	do(request) ([][]byte, error)
	dump(request) ([][]byte, error)
	close()
}

var _ lvs.Kernel = (*Conn)(nil)

// Open connects to IPVS. It loads the module ip_vs with modprobe if the kernel
// does not have it yet. If that fails, the error wraps ErrAbsent and says what
// to do. Without CAP_NET_ADMIN the error wraps EPERM. ctx bounds Open only.
func Open(ctx context.Context, log *slog.Logger) (*Conn, error) {
	redirectLogrus(log)
	s, err := openFamily(ctx, familyName, "modprobe")
	if err != nil {
		return nil, err
	}
	c := &Conn{own: s, watchdog: callTimeout, sysctls: sysctlDir}
	info, err := c.info()
	if err != nil {
		s.close()
		if errors.Is(err, syscall.EPERM) {
			return nil, fmt.Errorf("open IPVS: CAP_NET_ADMIN is needed: %w", err)
		}
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	if err := warmUp(ctx); err != nil {
		s.close()
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	if c.moby, err = moby.New(""); err != nil {
		s.close()
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
			err = fmt.Errorf("%w: load its module with \"modprobe ip_vs\" (in a container: on the host)", ErrAbsent)
			if loading != nil {
				err = fmt.Errorf("%w; holdfast tried that: %w", err, loading)
			}
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("open IPVS: %w", err)
	}
	return s, nil
}

// load runs modprobe ip_vs.
func load(ctx context.Context, modprobe string) error {
	ctx, cancel := context.WithTimeout(ctx, modprobeTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, modprobe, "-q", "ip_vs")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if said := strings.TrimSpace(string(out)); err != nil && said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// warmUp makes moby/ipvs look for its generic netlink family and run modprobe,
// which it does once in a process. That may take for ever, so warmUp does it in
// another goroutine and waits no longer than modprobeTimeout.
func warmUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, modprobeTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		h, err := moby.New("")
		if err == nil {
			h.Close()
		}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("wait for modprobe: %w", ctx.Err())
	}
}

// Close closes the sockets. The table stays as it is.
func (c *Conn) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.own.close()
	if c.moby != nil {
		c.moby.Close()
	}
}

// call calls f and returns after the watchdog's time at the latest. c.mu must be
// held, because a moby.Handle mixes up the answers of concurrent calls.
func call[T any](c *Conn, f func(*moby.Handle) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	if c.moby == nil {
		h, err := moby.New("")
		if err != nil {
			return *new(T), fmt.Errorf("open IPVS again: %w", err)
		}
		c.moby = h
	}
	h := c.moby
	done := make(chan result, 1)
	go func() {
		value, err := f(h)
		done <- result{value, err}
	}()
	watchdog := time.NewTimer(c.watchdog)
	defer watchdog.Stop()
	select {
	case r := <-done:
		return r.value, r.err
	case <-watchdog.C:
		h.Close() // ends the call and so the goroutine
		c.moby = nil
		return *new(T), fmt.Errorf("%w in %v", lvs.ErrUnanswered, c.watchdog)
	}
}
