package director

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"holdfast/cmd/internal/hardwatch"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/vrrp/speaker"
)

// fakeDog is a hardware watchdog that records how it ends.
type fakeDog struct {
	timeout time.Duration
	feed    error
	fed     int
	ended   string
}

func (f *fakeDog) About() hardwatch.About {
	return hardwatch.About{Identity: "fake", Timeout: f.timeout}
}
func (f *fakeDog) Feed() error   { f.fed++; return f.feed }
func (f *fakeDog) FD() int       { return 9 }
func (f *fakeDog) HandOn() error { f.ended += "on the way "; return nil }
func (f *fakeDog) Keep()         { f.ended = "" }
func (f *fakeDog) Leave() error  { f.ended = "left armed"; return nil }
func (f *fakeDog) Disarm() error { f.ended = "disarmed"; return nil }

// A kennel runs the subsystem without a device: opens is what an attempt to open one ends
// with, and the last counts for all further ones.
type kennel struct {
	*hardwareWatchdog
	dogs     []*fakeDog
	opens    []error
	problems []status.Problem
	silent   bool // the VRRP loop does not answer
}

func newKennel(t *testing.T, opens ...error) *kennel {
	b, r := alone(t)
	k := &kennel{hardwareWatchdog: newHardwareWatchdog(b), opens: opens}
	k.device = func(_ string, timeout time.Duration) (watchdogDevice, error) {
		err := k.opens[0]
		if len(k.opens) > 1 {
			k.opens = k.opens[1:]
		}
		if err != nil {
			return nil, err
		}
		k.dogs = append(k.dogs, &fakeDog{timeout: timeout})
		return k.dogs[len(k.dogs)-1], nil
	}
	k.hardwareWatchdog.pulse = func(answer func(speaker.Pulse)) bool {
		if !k.silent {
			answer(speaker.Pulse{})
		}
		return true
	}
	k.hardwareWatchdog.problems = func(all []status.Problem) { k.problems = all }
	go r.mail.work(t.Context().Done())
	return k
}

func (k *kennel) want(path string) {
	k.do(func() {
		k.apply(&conf.Config{Director: conf.Director{Watchdog: path, WatchdogTimeout: 20 * time.Second}})
	})
}

// pass lets time pass. What the test read before that was read before the loop goes on.
func (k *kennel) pass(d time.Duration) {
	k.do(func() {})
	time.Sleep(d)
	synctest.Wait()
}

// do has the director's loop call f.
func (k *kennel) do(f func()) {
	k.post(f)
	synctest.Wait()
}

func TestHardwareWatchdogIsFedWhileAdvertsGoOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.want("/dev/watchdog")
		k.pass(61 * time.Second)
		if got := k.dogs[0].fed; got != 13 {
			t.Errorf("fed %d times in 61s, want every 5s", got)
		}
		k.want("/dev/watchdog") // a reload that changes nothing
		k.do(func() { k.silent = true })
		k.pass(time.Hour)
		if got := k.dogs[0].fed; got > 14 {
			t.Errorf("fed %d times, also while the VRRP loop hangs", got)
		}
		k.do(k.withdraw)
		if got := k.dogs[0].ended; len(k.dogs) != 1 || got != "disarmed" {
			t.Errorf("%d devices were opened; at the stop the first is %q", len(k.dogs), got)
		}
	})
}

// A device that cannot be opened, or breaks, is a problem, and is opened again.
func TestHardwareWatchdogIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, errors.New("no such device"), nil)
		k.want("/dev/watchdog")
		var s status.Status
		if k.do(func() { k.report(&s) }); len(k.problems) != 1 || !strings.Contains(k.problems[0].Text, "no such device") || s.Watchdog.Error == "" {
			t.Errorf("problems %+v, status %+v", k.problems, s.Watchdog)
		}
		k.pass(watchdogAgain)
		if len(k.problems) != 0 || len(k.dogs) != 1 {
			t.Fatalf("problems %+v", k.problems)
		}
		k.do(func() { k.dogs[0].feed = errors.New("input/output error") })
		k.pass(6 * time.Second)
		if got := k.dogs[0].ended; got != "left armed" || len(k.problems) != 1 {
			t.Errorf("the broken device is %q, problems %+v", got, k.problems)
		}
		k.pass(watchdogAgain)
		if len(k.dogs) != 2 || len(k.problems) != 0 {
			t.Errorf("%d devices, problems %+v", len(k.dogs), k.problems)
		}
		k.do(k.withdraw)
	})
}

// An upgrade keeps the device open for the next binary. If none comes, this one goes on.
func TestHardwareWatchdogIsKeptForTheNextBinary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.want("/dev/watchdog")
		synctest.Wait()
		var u upgradeState
		var takeBack func()
		k.do(func() { k.suspend(); k.save(&u); takeBack = k.handOn() })
		if u.Watchdog != (savedWatchdog{"/dev/watchdog", 9}) || k.dogs[0].ended != "on the way " {
			t.Errorf("saved %+v, and the device is %q", u.Watchdog, k.dogs[0].ended)
		}
		k.do(takeBack)
		k.want("/dev/watchdog")
		k.pass(time.Minute)
		if len(k.dogs) != 1 || k.dogs[0].ended != "" || k.dogs[0].fed < 12 {
			t.Errorf("%d devices, the first is %+v", len(k.dogs), k.dogs[0])
		}
		k.do(k.suspend)
		k.want("") // what the configuration does not name any more is disarmed
		if got := k.dogs[0].ended; got != "disarmed" {
			t.Errorf("without the key the device is %q", got)
		}
	})
}

// A descriptor that a former binary cannot have left is not touched.
func TestHardwareWatchdogRefusesOtherDescriptors(t *testing.T) {
	other, err := os.Open("/dev/zero")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.restore(&upgradeState{Watchdog: savedWatchdog{"/dev/null", int(other.Fd())}})
		k.want("/dev/null")
		synctest.Wait()
		if len(k.dogs) != 1 {
			t.Error("the device was not opened again")
		}
		k.do(k.withdraw)
	})
	if _, err := other.Stat(); err != nil {
		t.Errorf("the other descriptor: %v", err)
	}
	if _, err := hardwatch.Open("/dev/null", time.Second); err == nil || !strings.Contains(err.Error(), "/dev/null is no watchdog") {
		t.Errorf("opened /dev/null: %v", err)
	}
}
