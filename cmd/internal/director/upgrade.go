package director

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"holdfast/cmd/internal/control"
)

// upgradeGrace is how long running scripts, and then what else tells of events,
// are waited for before the binary is replaced; adverts go on meanwhile.
const upgradeGrace = 2 * time.Second

// Upgrade implements control.Backend: it replaces the running binary by the
// installed one, in this process. Whether that can work is found out before.
// The answer comes first; the connection then ends with the old binary.
func (b backend) Upgrade(ctx context.Context) (*control.Upgrading, error) {
	path, err := installedBinary()
	if err != nil {
		return nil, err
	}
	check := exec.CommandContext(ctx, path, "check", "-c", b.d.opts.Path)
	if out, err := check.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s does not accept %s, nothing was changed: %w\n%s",
			path, b.d.opts.Path, err, strings.TrimSpace(string(out)))
	}
	b.d.mail.post(func() { b.d.upgradeTo = path })
	return &control.Upgrading{Path: path, PID: os.Getpid()}, nil
}

// installedBinary is where the running binary was started from, whatever is
// there now.
func installedBinary() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the installed binary: %w", err)
	}
	path = strings.TrimSuffix(path, " (deleted)")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("find the installed binary: %w", err)
	}
	return path, nil
}

// replace runs the binary at path in this process. It returns only if that
// fails; then everything goes on as before.
func (d *Director) replace(path string) error {
	d.log.Info("upgrade: the binary is replaced", "path", path)
	for _, s := range d.subsystems {
		s.suspend()
	}
	closing, done := context.WithTimeout(context.Background(), closeGrace)
	defer done()
	closed := d.server.Leave(closing) // so that the answer is through
	d.server = nil
	err := d.saveUpgradeState()
	if err == nil {
		err = d.exec(path)
	} else {
		err = fmt.Errorf("leave word for the new binary: %w", err)
	}
	return errors.Join(err, d.removeUpgradeState(), closed, d.goOn())
}

// goOn opens again what was closed for a new binary.
func (d *Director) goOn() error {
	d.routers.repair.within(repairPause) // which has them watched again
	for _, s := range d.subsystems {
		s.apply(d.conf)
	}
	err := d.openSocket()
	if err == nil {
		d.serve()
	}
	return err
}

// exec runs the binary at path, which goes on speaking at once for what is MASTER
// now. It returns only if that fails.
func (d *Director) exec(path string) error {
	syscall.ForkLock.Lock() // nobody else is to inherit what the new binary gets
	defer syscall.ForkLock.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual, calm := hurry()
	defer calm()
	env := os.Environ()
	variable, takeBack, err := d.routers.saveEarlySpeaker(usual)
	if err != nil {
		calm() // nobody would settle the new binary
		d.log.Warn("no advert is sent until the new binary is up", "err", err)
		takeBack = func() error { return nil }
	} else {
		env = append(env, variable)
	}
	err = syscall.Exec(path, os.Args, env)
	return errors.Join(fmt.Errorf("run %s: %w", path, err), takeBack())
}
