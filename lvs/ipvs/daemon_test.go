package ipvs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/lvs"
)

// A wire is a fake kernel that runs sync daemons and loses answers.
type wire struct {
	lose    int           // how many more answers are lost
	delay   time.Duration // until a request takes effect whose answer is lost
	deaf    bool          // no request takes effect or is answered
	log     []string
	running []pending
}

type pending struct {
	daemon []byte // the attribute that would be dumped
	role   lvs.SyncRole
	from   time.Time
	until  time.Time // zero is for ever
}

func (w *wire) do(r request) ([][]byte, error) {
	d, err := decodeDaemon(r.attrs[0].Serialize()[4:])
	if err != nil {
		return nil, err
	}
	effect := time.Now()
	var answer error
	if w.deaf || w.lose > 0 {
		time.Sleep(r.timeout)
		w.lose--
		effect = effect.Add(w.delay)
		answer = fmt.Errorf("%w in %v", lvs.ErrUnanswered, r.timeout)
	}
	i := slices.IndexFunc(w.running, func(p pending) bool { return p.role == d.Role && p.until.IsZero() })
	switch {
	case w.deaf:
	case r.command == cmdNewDaemon && i >= 0:
		return nil, syscall.EEXIST
	case r.command == cmdNewDaemon:
		w.log = append(w.log, "start "+d.Role.String())
		w.running = append(w.running, pending{daemon: r.attrs[0].Serialize(), role: d.Role, from: effect})
	case i < 0:
		return nil, syscall.ESRCH
	default:
		w.log = append(w.log, "stop "+d.Role.String())
		w.running[i].until = effect
	}
	return nil, answer
}

func (w *wire) dump(request) ([][]byte, error) {
	if w.deaf {
		time.Sleep(answerTimeout)
		return nil, lvs.ErrUnanswered
	}
	var messages [][]byte
	for _, p := range w.running {
		if now := time.Now(); !now.Before(p.from) && (p.until.IsZero() || now.Before(p.until)) {
			messages = append(messages, append(make([]byte, headerLen), p.daemon...))
		}
	}
	return messages, nil
}

func (w *wire) batch(requests []request) []error { return make([]error, len(requests)) }

func (w *wire) close() {}

var syncConfig = lvs.SyncConfig{Interface: "eth1", ID: 1, Follow: "director"}

func TestSyncAsksWhatIsTrueWhenNobodyAnswers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lose  int
		delay time.Duration
		most  time.Duration
	}{
		{"all answered", 0, 0, 0},
		{"stop unanswered", 1, 0, syncAckTimeout},
		{"both unanswered", 2, 0, 2 * syncAckTimeout},
		{"both unanswered and slow", 2, 400 * time.Millisecond, 900 * time.Millisecond},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &wire{}
				c := &Conn{own: w}
				if _, err := c.ApplySync(syncConfig.Wanted(false)); err != nil {
					t.Fatal(err)
				}
				w.lose, w.delay, w.log = tt.lose, tt.delay, nil
				start := time.Now()
				if _, err := c.ApplySync(syncConfig.Wanted(true)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > tt.most {
					t.Errorf("took %v, want at most %v", took, tt.most)
				}
				if got := strings.Join(w.log, ", "); got != "stop backup, start master" {
					t.Errorf("the kernel saw %s", got)
				}
				if have, err := c.SyncDaemons(); err != nil || len(have) != 1 || have[0].Role != lvs.SyncMaster {
					t.Errorf("daemons are %v, %v", have, err)
				}
			})
		})
	}
}

func TestSyncGivesUpOnADeafKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Conn{own: &wire{deaf: true}}
		start := time.Now()
		err := c.doSync(lvs.SyncOp{Daemon: syncConfig.Wanted(true)[0]})
		if !errors.Is(err, lvs.ErrUnanswered) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(start); took > syncTimeout+2*answerTimeout {
			t.Errorf("returned after %v", took)
		}
	})
}

func TestSyncTakesWhatSomebodyElseDidMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		c := &Conn{own: w}
		backup := syncConfig.Wanted(false)[0]
		if err := c.doSync(lvs.SyncOp{Stop: true, Daemon: backup}); err != nil {
			t.Errorf("stop a daemon that does not run: %v", err)
		}
		for range 2 {
			if err := c.doSync(lvs.SyncOp{Daemon: backup}); err != nil {
				t.Errorf("start: %v", err)
			}
		}
		other := backup
		other.ID = 99
		if err := c.doSync(lvs.SyncOp{Daemon: other}); !errors.Is(err, syscall.EEXIST) {
			t.Errorf("start beside one with another ID: %v", err)
		}
	})
}
