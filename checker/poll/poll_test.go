package poll

import (
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Poller {
	t.Helper()
	p, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// pair returns two connected sockets.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func TestWaitTellsOnceWhatBecomesReadable(t *testing.T) {
	p := open(t)
	a, b := pair(t)
	quiet, _ := pair(t)
	for _, fd := range []int{a, quiet} {
		if err := p.Add(fd, Readable); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := unix.Write(b, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if got := p.Wait(); !slices.Equal(got, []int{a}) {
			t.Fatalf("Wait returned %v, want %d", got, a)
		}
	}
	p.Until(time.Now().Add(10 * time.Millisecond))
	if got := p.Wait(); len(got) != 0 {
		t.Errorf("Wait tells %v again", got)
	}
}

func TestWaitSeesSocketsThatAreReadyWhenAdded(t *testing.T) {
	p := open(t)
	a, b := pair(t)
	if _, err := unix.Write(b, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(a, Readable); err != nil {
		t.Fatal(err)
	}
	if err := p.Add(b, Writable); err != nil {
		t.Fatal(err)
	}
	got := slices.Clone(p.Wait())
	slices.Sort(got)
	if want := []int{min(a, b), max(a, b)}; !slices.Equal(got, want) {
		t.Errorf("Wait returned %v, want %v", got, want)
	}
}

// Until and Close wake a Wait that waits already.
func TestWaitIsWoken(t *testing.T) {
	p := open(t)
	woken := make(chan int)
	wait := func() { woken <- len(p.Wait()) }
	for _, wake := range []func(){func() { p.Until(time.Unix(1, 0)) }, func() { p.Close() }} {
		p.Until(time.Time{})
		go wait()
		select {
		case <-woken:
			t.Fatal("Wait returned without a reason")
		case <-time.After(20 * time.Millisecond):
		}
		wake()
		if n := <-woken; n != 0 {
			t.Errorf("Wait returned %d sockets, want none", n)
		}
	}
}

func TestAddRefusesWhatIsNoSocket(t *testing.T) {
	if err := open(t).Add(-1, Readable); err == nil {
		t.Error("a file descriptor that is not open was taken")
	}
}
