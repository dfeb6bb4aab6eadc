package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/hinshun/vt10x"
	"golang.org/x/sys/unix"

	"holdfast/checker"
	"holdfast/cmd/internal/status"
	"holdfast/integration/tools"
	"holdfast/lvs"
)

// asHoldfast is the variable that makes this test binary holdfast itself.
const asHoldfast = "HOLDFAST_TEST_AS_HOLDFAST"

func TestMain(m *testing.M) {
	if os.Getenv(asHoldfast) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A screen is a terminal on which a command runs.
type screen struct {
	t    *testing.T
	pty  *os.File
	tty  *os.File
	term vt10x.Terminal
	cmd  *exec.Cmd
	done chan error

	mu      sync.Mutex
	raw     strings.Builder
	written chan struct{} // has a value when the command has written since the last look
}

// onScreen runs a command line of this program on a terminal.
func onScreen(t *testing.T, columns, lines int, args ...string) *screen {
	t.Helper()
	p, tty, err := pty.Open()
	if err != nil {
		tools.Without(t, "netns", fmt.Sprintf("there is no terminal to test with: %v", err)) // whoever has namespaces has /dev/pts
	}
	s := &screen{t: t, pty: p, tty: tty, term: vt10x.New(vt10x.WithSize(columns, lines)), done: make(chan error, 1), written: make(chan struct{}, 1)}
	s.resize(columns, lines)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(self, args...)
	s.cmd.Env = append(os.Environ(), asHoldfast+"=1", "TERM=xterm-256color", "NO_COLOR=")
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = tty, tty, tty
	s.cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true, Setctty: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read()
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // it has ended if all is well
		_ = p.Close()
		_ = tty.Close()
	})
	return s
}

func (s *screen) read() {
	block := make([]byte, 4096)
	for {
		n, err := s.pty.Read(block)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.raw.Write(block[:n])
		_, _ = s.term.Write(block[:n]) // it takes everything
		s.mu.Unlock()
		select {
		case s.written <- struct{}{}:
		default: // nobody has looked since
		}
	}
}

func (s *screen) resize(columns, lines int) {
	s.t.Helper()
	if err := pty.Setsize(s.pty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.term.Resize(columns, lines)
	s.mu.Unlock()
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.term.String()
}

// shows waits until the screen has a text.
func (s *screen) shows(want string) {
	s.t.Helper()
	s.await("the screen shows "+want, func(text string) bool { return strings.Contains(text, want) })
}

func (s *screen) await(what string, ok func(string) bool) {
	s.t.Helper()
	limit := time.After(15 * time.Second)
	for !ok(s.text()) {
		select {
		case <-s.written:
		case <-limit:
			s.t.Fatalf("waited in vain: %s\n%s", what, s.text())
		}
	}
}

func (s *screen) press(keys string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// crowdStatus has many of everything.
func crowdStatus(routers, services, servers int) *status.Status {
	s := wellStatus()
	s.VRRP, s.LVS = nil, &status.LVS{}
	for i := range routers {
		s.VRRP = append(s.VRRP, status.Instance{
			Name: fmt.Sprintf("router%d", i), Interface: "eth0", VRID: 1 + i%255, State: "MASTER", Since: noon.Add(-time.Hour), Holding: true, Why: "no advert heard for 310ms",
			Priority: 150, EffectivePriority: 150, Addresses: []string{fmt.Sprintf("10.0.%d.%d/24", i/250, i%250)},
		})
	}
	s.VRRP[routers-1].State, s.VRRP[routers-1].Reasons = "FAULT", []status.Reason{{Key: "link", Text: "eth0 has no carrier", Since: noon}}
	for i := range services {
		v := lvs.ServiceStatus{Name: fmt.Sprintf("web%d", i), Service: fmt.Sprintf("tcp 10.0.0.%d:80", i), Scheduler: "wlc", Health: "up", Wanted: true, Present: true, ServersTotal: servers}
		for j := range servers {
			name := fmt.Sprintf("rs%d", j)
			c := checker.Status{ID: v.Name + "/" + name, Server: v.Name + "/" + name, Kind: "http", State: checker.Up, Since: noon.Add(-time.Hour)}
			r := lvs.ServerStatus{Name: name, Address: fmt.Sprintf("192.168.%d.%d:80", i, j), Health: "up", Weight: 1, Configured: 1, Active: uint32(j), Present: true}
			if i == 1 && j == 1 {
				r.Health, c.State = "down", checker.Down
				c.Failures = []checker.Result{{At: noon.Add(-4 * time.Second), Reason: "status 503 Service Unavailable"}}
			} else {
				v.ServersUp++
			}
			v.Servers, s.Checks = append(v.Servers, r), append(s.Checks, c)
		}
		s.LVS.Services = append(s.LVS.Services, v)
	}
	return s
}

// TestWatch uses the live view on a terminal: it opens a service, filters, drains a server
// after a question, outlives the daemon, and leaves the terminal as it was.
func TestWatch(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	fake := &fakeDaemon{status: crowdStatus(50, 20, 10)}
	stop := serveFake(t, socket, fake, wentDown)
	s := onScreen(t, 80, 24, "status", "--watch", "--socket", socket)
	before, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	s.shows("UNWELL: vrrp router49 is in FAULT")
	s.shows("eth0 has no carrier") // what is unwell is selected at first
	s.press("s")
	s.shows("as configured")
	s.press("s")
	s.press("\t")
	s.shows("9 of 10 up")
	s.press("/web1\r")
	s.await("only what contains web1", func(text string) bool { return !strings.Contains(text, "web2 ") && strings.Contains(text, "web1 ") })
	s.press("\r")
	s.shows("4s ago: status 503 Service Unavailable")
	s.press("d")
	s.shows("drain rs1 of web1? y/N")
	s.press("n")
	s.shows("nothing was changed")
	s.press("d")
	s.shows("drain rs1 of web1? y/N")
	s.press("y")
	s.shows("done: drain web1 rs1")
	s.resize(60, 20)
	s.press("4")
	s.shows("connect: connection refused")
	stop()
	s.shows("holdfast is not running")
	fake.status.Director = "lvs3"
	stop = serveFake(t, socket, fake, wentDown)
	defer stop()
	s.shows("lvs3  up")
	s.press("q")
	select {
	case err := <-s.done:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("q did not end it")
	}
	s.await("the other screen again", func(string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return strings.Contains(s.raw.String(), "\x1b[?1049l")
	})
	after, err := unix.IoctlGetTermios(int(s.tty.Fd()), unix.TCGETS)
	if err != nil || *after != *before && after.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != unix.ECHO|unix.ICANON|unix.ISIG {
		t.Errorf("the terminal was %+v and is %+v, %v", before, after, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if raw := s.raw.String(); !strings.Contains(raw, "\x1b[?1049h") || strings.LastIndex(raw, "\x1b[?25h") < strings.LastIndex(raw, "\x1b[?25l") {
		t.Errorf("the screen or the cursor was not given back: %q", raw[max(0, len(raw)-300):])
	}
}

// A terminal that cannot place its cursor, and a pipe, get the status again and again.
func TestWatchWithoutAScreen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	defer serveFake(t, socket, &fakeDaemon{status: wellStatus()}, wentDown)()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "status", "--watch", "--socket", socket)
	cmd.Env = append(os.Environ(), asHoldfast+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	block := make([]byte, 4096)
	for strings.Count(text.String(), "lvs2  up") < 2 {
		n, err := out.Read(block)
		if err != nil {
			t.Fatalf("%v: %s", err, text.String())
		}
		text.Write(block[:n])
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // it was killed
	if strings.Contains(text.String(), "\x1b") {
		t.Errorf("%q", text.String())
	}
}

// TestStatusOnATerminal fits the screen and has colours.
func TestStatusOnATerminal(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	defer serveFake(t, socket, &fakeDaemon{status: crowdStatus(1000, 20, 10)}, wentDown)()
	s := onScreen(t, 80, 24, "status", "--socket", socket)
	select {
	case <-s.done:
	case <-time.After(10 * time.Second):
		t.Fatal("it did not end")
	}
	s.shows("not all is shown")
	if text := s.text(); !strings.Contains(text, "lvs2  up") || !strings.Contains(text, "router999") {
		t.Errorf("the screen is\n%s", text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !strings.Contains(s.raw.String(), "\x1b[1;31mFAULT") {
		t.Errorf("it has no colours: %q", s.raw.String())
	}
}
