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
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/cmd/internal/status"
)

// upgradeGrace is how long the director waits for scripts that are just being started, and
// then for the sinks, before it replaces the binary; adverts go on meanwhile.
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

// startPath is the path of the running binary when it was started. Later the kernel
// names the file's new path if somebody has renamed it, to keep the old version.
var startPath, errStartPath = os.Executable()

// installedBinary returns the path that the running binary was started from,
// whatever is there now.
func installedBinary() (string, error) {
	path, err := startPath, errStartPath
	if err != nil {
		return "", fmt.Errorf("find the installed binary: %w", err)
	}
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
	closed := d.socket.leave()
	err := d.files.write()
	if err == nil {
		err = d.exec(path)
	} else {
		err = fmt.Errorf("save the state for the new binary: %w", err)
	}
	return errors.Join(err, d.files.remove(), closed, d.resume())
}

// resume opens again what was closed for a new binary.
func (d *Director) resume() error {
	d.routers.repair.within(repairPause) // which has sysctls watched again
	d.outlets.revive()
	for _, s := range d.subsystems {
		s.apply(d.conf)
	}
	d.outlets.resume()
	err := d.socket.open()
	if err == nil {
		d.socket.serve()
	}
	return err
}

// exec runs the binary at path, which goes on speaking at once for what is MASTER
// now. It returns only if that fails.
func (d *Director) exec(path string) error {
	syscall.ForkLock.Lock() // no child is to inherit what the new binary gets
	defer syscall.ForkLock.Unlock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	usual, restore := boostThreads()
	if d.bfd.urgency.end != nil {
		usual = d.bfd.urgency.usual // the new binary finds out by itself whether it is urgent
	}
	defer restore()
	env := os.Environ()
	variable, takeBack, err := d.routers.saveEarlySpeaker(usual)
	if err != nil {
		restore() // nothing would restore it in the new binary
		d.log.Warn("no advert is sent until the new binary is up", "err", err)
		takeBack = func() error { return nil }
	} else {
		env = append(env, variable)
	}
	if err := program.PassCapabilities(); err != nil {
		d.log.Warn("the new binary has fewer capabilities", "err", err)
	}
	defer d.hardware.handOn()()
	defer d.traps.handOn()()
	defer d.outlets.handOn()()
	err = syscall.Exec(path, os.Args, env)
	return errors.Join(fmt.Errorf("run %s: %w", path, err), takeBack())
}

// newUpgradeFiles returns the files that this binary finds and leaves.
func (d *Director) newUpgradeFiles() *upgradeFiles {
	return &upgradeFiles{
		dir: d.opts.Config.Director.RuntimeDir, log: d.log, version: d.opts.Version, journal: d.journal,
		flush: d.readMail, count: d.counts,
		save: func(u *upgradeState) {
			for _, s := range d.subsystems {
				s.save(u)
			}
		},
	}
}

// counts returns the totals that the new binary goes on from.
func (d *Director) counts() (counts, error) {
	s, err := d.vrrpStatus()
	if err != nil {
		return counts{}, err
	}
	c := counts{
		Instances: map[string]status.Counters{}, Dropped: s.Dropped, UnknownVRID: s.UnknownVRID, Repairs: d.services.repairs,
		DeviceRepairs: s.Repairs, Reloads: d.reloads, ReloadsRefused: d.reloadsRefused, Upgrades: d.upgrades, AdvertLateness: s.AdvertLateness,
	}
	for i := range s.VRRP {
		c.Instances[s.VRRP[i].Name] = s.VRRP[i].Counters
	}
	return c, nil
}

// restoreHistory takes over the journal and the totals of the former binary, and
// publishes that it was replaced.
func (d *Director) restoreHistory() {
	c := d.files.restoreJournal(&d.inherited)
	d.eventFile.begin()
	d.services.repairs += c.Repairs
	d.routers.restoreCounts(&c)
	d.reloads, d.reloadsRefused, d.upgrades = c.Reloads, c.ReloadsRefused, c.Upgrades
	if d.inherited.At != 0 {
		d.upgrades++
		d.publish(event.Event{Kind: event.KindDirector, From: d.inherited.Software, To: d.opts.Version, Reason: "upgraded"})
	}
	d.inherited = upgradeState{At: d.inherited.At}
}
