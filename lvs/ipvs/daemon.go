package ipvs

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"

	"holdfast/lvs"
)

// The kernel sends no acknowledgement when it stops a sync daemon whose thread has
// not run yet: kthread_stop returns EINTR, to which netlink_rcv_skb does not
// reply. The daemon is stopped nevertheless. Therefore doSync waits only
// syncAckTimeout for the acknowledgement. After that it reads the daemons, at
// the same interval, until the change has happened or syncTimeout is over.
const (
	syncAckTimeout = 25 * time.Millisecond
	syncTimeout    = 3 * time.Second
)

// SyncDaemons returns the running sync daemons, the master first.
func (c *Conn) SyncDaemons() ([]lvs.SyncDaemon, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.syncDaemons()
}

func (c *Conn) syncDaemons() ([]lvs.SyncDaemon, error) {
	messages, err := c.own.dump(request{command: cmdGetDaemon})
	if err != nil {
		return nil, fmt.Errorf("read the IPVS sync daemons: %w", err)
	}
	daemons := make([]lvs.SyncDaemon, 0, len(messages))
	for _, m := range messages {
		d, err := decode(m, attrDaemon, decodeDaemon)
		if err != nil {
			return nil, fmt.Errorf("read the IPVS sync daemons: %w", err)
		}
		daemons = append(daemons, d)
	}
	slices.SortFunc(daemons, func(a, b lvs.SyncDaemon) int { return int(a.Role) - int(b.Role) })
	return daemons, nil
}

// ApplySync stops and starts sync daemons so that those of want run, and returns
// the steps that it has made ([lvs.PlanSync]). It stops at the first step that
// fails. It also stops daemons that other programs have started.
func (c *Conn) ApplySync(want []lvs.SyncDaemon) ([]lvs.SyncOp, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	have, err := c.syncDaemons()
	if err != nil {
		return nil, err
	}
	var made []lvs.SyncOp
	for _, op := range lvs.PlanSync(have, want) {
		if err := c.doSync(op); err != nil {
			return made, fmt.Errorf("%v: %w", op, err)
		}
		made = append(made, op)
	}
	return made, nil
}

// doSync makes one step. It returns no error if the daemon is stopped already, and
// EEXIST if another program has meanwhile started one with other parameters.
func (c *Conn) doSync(op lvs.SyncOp) error {
	r := request{command: cmdNewDaemon, timeout: syncAckTimeout, attrs: []*nl.RtAttr{encodeDaemon(op.Daemon, !op.Stop)}}
	if op.Stop {
		r.command = cmdDelDaemon
	}
	_, err := c.own.do(r)
	switch {
	case errors.Is(err, lvs.ErrUnanswered):
		return c.awaitSync(op)
	case errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.ESRCH):
		if done, _ := c.syncDone(op); done {
			return nil
		}
		return err
	case errors.Is(err, syscall.ENODEV):
		return fmt.Errorf("interface %s: %w", op.Daemon.Interface, err)
	case errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w (the kernel starts no sync daemon while a server is of another address family than its service)", err)
	}
	return err
}

// awaitSync waits until the step has happened.
func (c *Conn) awaitSync(op lvs.SyncOp) error {
	for deadline := time.Now().Add(syncTimeout); ; time.Sleep(syncAckTimeout) {
		done, err := c.syncDone(op)
		if done {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("%w in %v", lvs.ErrUnanswered, syncTimeout), err)
		}
	}
}

// syncDone reports whether the step has happened.
func (c *Conn) syncDone(op lvs.SyncOp) (bool, error) {
	have, err := c.syncDaemons()
	if err != nil {
		return false, err
	}
	if op.Stop {
		return !slices.ContainsFunc(have, func(d lvs.SyncDaemon) bool { return d.Role == op.Daemon.Role }), nil
	}
	return len(lvs.PlanSync(have, append(others(have, op.Daemon.Role), op.Daemon))) == 0, nil
}

// others returns the daemons that have another role.
func others(daemons []lvs.SyncDaemon, role lvs.SyncRole) []lvs.SyncDaemon {
	return slices.DeleteFunc(slices.Clone(daemons), func(d lvs.SyncDaemon) bool { return d.Role == role })
}
