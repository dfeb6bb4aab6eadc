package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/program"
	"holdfast/netdev/statefile"
)

func upgradeStatePath(dir string) string { return filepath.Join(dir, "upgrade.json") }
func historyPath(dir string) string      { return filepath.Join(dir, "history.json") }

// upgradeStateLife is for how long an upgrade state counts. What is older was left
// for a binary that never came, perhaps before the machine was started.
const upgradeStateLife = time.Minute

// upgradeFiles keeps, in the runtime directory, what a binary leaves for the one
// that replaces it.
type upgradeFiles struct {
	dir     string
	log     *slog.Logger
	version string // of this binary
	journal *event.Journal
	flush   func()                 // does what was posted to the loop
	save    func(*upgradeState)    // has the subsystems add what they leave
	count   func() (counts, error) // returns the totals of this binary
}

// write leaves everything for the next binary. What has been is of less account
// than what is: where there is no room for both, the journal is lost.
func (f *upgradeFiles) write() error {
	at, seq, err := f.writeHistory()
	if err != nil {
		f.log.Warn("the new binary will not know the journal", "err", err)
	}
	err = f.writeState(at, seq)
	if err != nil && at != 0 {
		f.log.Warn("the new binary will not know the journal: its place is needed", "err", err)
		err = errors.Join(statefile.Remove(historyPath(f.dir)), f.writeState(0, 0))
	}
	return err
}

// remove removes what was left for a binary that does not come.
func (f *upgradeFiles) remove() error {
	return errors.Join(statefile.Remove(upgradeStatePath(f.dir)), statefile.Remove(historyPath(f.dir)))
}

// writeHistory writes the history. It returns the At of what was written, and the
// number of the last event in it.
func (f *upgradeFiles) writeHistory() (time.Duration, uint64, error) {
	totals, err := f.count()
	if err != nil {
		return 0, 0, err
	}
	h := history{At: sinceBoot(), Events: f.journal.Since(0), Counts: totals}
	b, err := json.Marshal(h)
	if err == nil {
		err = statefile.Replace(historyPath(f.dir), b)
	}
	if err != nil {
		return 0, 0, err
	}
	return h.At, f.journal.Last(), nil
}

// writeState writes what everything is, beside a history that was written at a time
// and goes as far as the event seq.
func (f *upgradeFiles) writeState(history time.Duration, seq uint64) error {
	f.flush()
	u := upgradeState{Software: f.version, History: history}
	f.save(&u)
	if u.At == 0 {
		return errors.New("the VRRP loop has ended")
	}
	f.flush() // the new binary publishes no event of how the routers became what they are
	if u.Seq = f.journal.Last(); history != 0 {
		u.Events = f.journal.Since(seq)
	}
	u.ProgramEnds = program.Ends()
	b, err := json.Marshal(u)
	if err != nil {
		return err
	}
	return statefile.Replace(upgradeStatePath(f.dir), b)
}

// readUpgradeState reads the upgrade state that the former binary left, and removes
// it: it counts once. Its At is zero if there is none.
func readUpgradeState(dir string) (upgradeState, error) {
	var u upgradeState
	there, err := readFile(upgradeStatePath(dir), &u)
	if there {
		err = errors.Join(err, statefile.Remove(upgradeStatePath(dir)))
	}
	if err != nil {
		return upgradeState{}, fmt.Errorf("read what the former binary left: %w", err)
	}
	if age := sinceBoot() - u.At; age < 0 || age > upgradeStateLife {
		return upgradeState{}, nil
	}
	return u, nil
}

// restoreJournal puts the events that the former binary left in front of the
// journal, and returns the totals that it left.
func (f *upgradeFiles) restoreJournal(u *upgradeState) counts {
	h, err := readHistory(f.dir, u.History)
	if err = errors.Join(err, f.journal.Prepend(append(h.Events, u.Events...))); err != nil {
		f.log.Warn("the journal of the former binary is lost", "err", err)
	}
	return h.Counts
}

// readHistory reads the history that was written at a time, and removes it; none if
// that time is zero.
func readHistory(dir string, at time.Duration) (history, error) {
	if at == 0 {
		return history{}, statefile.Remove(historyPath(dir))
	}
	var h history
	there, err := readFile(historyPath(dir), &h)
	switch {
	case err == nil && !there:
		err = fmt.Errorf("there is no %s", historyPath(dir))
	case err == nil && h.At != at:
		err = fmt.Errorf("%s is not what was left by the former binary", historyPath(dir))
	}
	err = errors.Join(err, statefile.Remove(historyPath(dir)))
	if err != nil {
		return history{}, fmt.Errorf("read what has been: %w", err)
	}
	return h, nil
}
