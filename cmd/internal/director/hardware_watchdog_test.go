package director

import (
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	mu      sync.Mutex
	feed    error
	fed     int
	ended   string
}

// change has the dog behave in another way from now on.
func (f *fakeDog) change(feed error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.feed = feed
}

// seen returns how often it was fed, and how it ended.
func (f *fakeDog) seen() (fed int, ended string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fed, f.ended
}

func (f *fakeDog) end(how string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = how
	return nil
}

func (f *fakeDog) About() hardwatch.About {
	return hardwatch.About{Identity: "fake", Timeout: f.timeout}
}
func (f *fakeDog) FD() int       { return 9 }
func (f *fakeDog) HandOn() error { return f.end("on the way") }
func (f *fakeDog) Keep()         { _ = f.end("") }
func (f *fakeDog) Leave() error  { return f.end("left armed") }
func (f *fakeDog) Disarm() error { return f.end("disarmed") }

func (f *fakeDog) Feed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fed++
	return f.feed
}

// A kennel runs the subsystem without a device: opens is what an attempt to open one ends
// with, and the last counts for all further ones.
type kennel struct {
	*hardwareWatchdog
	post     func(func())
	mu       sync.Mutex
	dogs     []*fakeDog
	opens    []error
	problems []status.Problem
	silent   atomic.Bool // the VRRP loop does not answer
}

func newKennel(t *testing.T, opens ...error) *kennel {
	b, r := alone(t)
	k := &kennel{hardwareWatchdog: newHardwareWatchdog(b), post: r.mail.post, opens: opens}
	k.device = func(_ string, timeout time.Duration) (watchdogDevice, error) { return k.open(timeout) }
	k.hardwareWatchdog.pulse = func(answer func(speaker.Pulse)) bool {
		if !k.silent.Load() {
			answer(speaker.Pulse{})
		}
		return true
	}
	k.hardwareWatchdog.problems = func(all []status.Problem) { k.problems = all }
	go r.mail.work(t.Context().Done())
	return k
}

func (k *kennel) open(timeout time.Duration) (watchdogDevice, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
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

// all returns the devices that were opened.
func (k *kennel) all() []*fakeDog {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.dogs)
}

// inLoop runs f where the director's loop does.
func (k *kennel) inLoop(f func()) {
	done := make(chan struct{})
	k.post(func() { f(); close(done) })
	<-done
}

func (k *kennel) want(path string) {
	k.inLoop(func() {
		k.apply(&conf.Config{Director: conf.Director{Watchdog: path, WatchdogTimeout: 20 * time.Second}})
	})
}

// troubles returns the problems, and the error of the status.
func (k *kennel) troubles() (problems []status.Problem, text string) {
	k.inLoop(func() {
		var s status.Status
		k.report(&s)
		problems, text = k.problems, s.Watchdog.Error
	})
	return problems, text
}

func TestHardwareWatchdogIsFedWhileAdvertsGoOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.want("/dev/watchdog")
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if fed, _ := k.all()[0].seen(); fed != 13 {
			t.Errorf("fed %d times in 61s, want every 5s", fed)
		}
		k.want("/dev/watchdog") // a reload that changes nothing
		k.silent.Store(true)
		time.Sleep(time.Hour)
		synctest.Wait()
		if fed, _ := k.all()[0].seen(); fed > 14 {
			t.Errorf("fed %d times, also while the VRRP loop hangs", fed)
		}
		k.inLoop(k.withdraw)
		if _, ended := k.all()[0].seen(); len(k.all()) != 1 || ended != "disarmed" {
			t.Errorf("%d devices were opened; at the stop the first is %q", len(k.all()), ended)
		}
	})
}

// A device that cannot be opened, or breaks, is a problem, and is opened again.
func TestHardwareWatchdogIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, errors.New("no such device"), nil)
		k.want("/dev/watchdog")
		synctest.Wait()
		if problems, text := k.troubles(); len(problems) != 1 || !strings.Contains(problems[0].Text, "no such device") || text == "" {
			t.Errorf("problems %+v, status %q", problems, text)
		}
		time.Sleep(watchdogAgain)
		synctest.Wait()
		if problems, _ := k.troubles(); len(problems) != 0 || len(k.all()) != 1 {
			t.Fatalf("problems %+v", problems)
		}
		dog := k.all()[0]
		dog.change(errors.New("input/output error"))
		time.Sleep(6 * time.Second)
		synctest.Wait()
		problems, _ := k.troubles()
		if _, ended := dog.seen(); ended != "left armed" || len(problems) != 1 {
			t.Errorf("the broken device is %q, problems %+v", ended, problems)
		}
		time.Sleep(watchdogAgain)
		synctest.Wait()
		if problems, _ := k.troubles(); len(k.all()) != 2 || len(problems) != 0 {
			t.Errorf("%d devices, problems %+v", len(k.all()), problems)
		}
		k.inLoop(k.withdraw)
	})
}

// An upgrade keeps the device open for the next binary. If none comes, this one goes on.
func TestHardwareWatchdogIsKeptForTheNextBinary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKennel(t, nil)
		k.want("/dev/watchdog")
		synctest.Wait()
		dog := k.all()[0]
		k.inLoop(func() {
			var u upgradeState
			k.suspend()
			k.save(&u)
			takeBack := k.handOn()
			if _, ended := dog.seen(); u.Watchdog != (savedWatchdog{"/dev/watchdog", 9}) || ended != "on the way" {
				t.Errorf("saved %+v, and the device is %q", u.Watchdog, ended)
			}
			takeBack()
		})
		k.want("/dev/watchdog")
		time.Sleep(time.Minute)
		synctest.Wait()
		if fed, ended := dog.seen(); len(k.all()) != 1 || ended != "" || fed < 12 {
			t.Errorf("%d devices, the first was fed %d times and is %q", len(k.all()), fed, ended)
		}
		k.inLoop(k.suspend)
		k.want("") // what the configuration does not name any more is disarmed
		if _, ended := dog.seen(); ended != "disarmed" {
			t.Errorf("without the key the device is %q", ended)
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
		if len(k.all()) != 1 {
			t.Error("the device was not opened again")
		}
		k.inLoop(k.withdraw)
	})
	if _, err := other.Stat(); err != nil {
		t.Errorf("the other descriptor: %v", err)
	}
	if _, err := hardwatch.Open("/dev/null", time.Second); err == nil || !strings.Contains(err.Error(), "/dev/null is no watchdog") {
		t.Errorf("opened /dev/null: %v", err)
	}
}
