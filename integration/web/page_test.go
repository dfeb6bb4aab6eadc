// Package web opens the status page of the built binary in a browser. The looks of the
// page are tested in cmd/internal/web/browser.
package web

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"holdfast/integration/chromium"
	"holdfast/integration/lab"
)

func TestMain(m *testing.M) {
	if err := lab.Build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// forward serves a control socket on loopback, as ssh -L does, for as long as the test
// runs: the browser is not in the network namespace of the director.
func forward(t *testing.T, socket string) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			browser, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { join(browser, socket) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String() + "/"
}

// join copies between a browser and a control socket until one of them ends.
func join(browser net.Conn, socket string) {
	defer browser.Close()
	director, err := net.Dial("unix", socket)
	if err != nil {
		return // as a port that nobody listens on
	}
	defer director.Close()
	go func() {
		_, _ = io.Copy(director, browser)
		director.Close()
	}()
	_, _ = io.Copy(browser, director)
}

// The page of the built binary shows the director and its peer, follows a failover, and
// comes back after an upgrade.
func TestPage(t *testing.T) {
	b := chromium.Start(t)
	p := lab.NewPair(t, 2)
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		more := fmt.Sprintf("[[listen]]\naddress = \"192.168.0.%d:9650\"\n\n[page]\npeers = [{ name = \"lvs%d\", url = \"http://192.168.0.%d:9650\" }]\n", i+2, 2-i, 3-i)
		d := host.Holdfast(lab.Director{Priority: 200 - 50*i, Interval: 100 * time.Millisecond, More: more}.TOML())
		d.AwaitState(t, []string{"MASTER", "BACKUP"}[i])
		daemons = append(daemons, d)
	}
	tab := b.Open(t, forward(t, filepath.Join(daemons[0].RuntimeDir(), "control.sock")), chromium.Desktop)
	states := func(first, second string) string {
		return fmt.Sprintf(`[...document.querySelectorAll("#units tbody tr:first-child td")].map((e) => e.innerText).join() === "%s,%s"`, first, second)
	}
	tab.Await(states("MASTER", "BACKUP") + ` && document.getElementById("verdict-title").innerText === "All is well"`)

	daemons[1].Signal(syscall.SIGSTOP)
	tab.Await(`document.getElementById("verdict-list").innerText.includes("director lvs2 has not answered since")`)
	daemons[1].Signal(syscall.SIGCONT)
	tab.Await(`document.getElementById("verdict-title").innerText === "All is well"`)

	if out, stderr, err := daemons[0].CLI("handover"); err != nil {
		t.Fatalf("handover: %v: %s%s", err, out, stderr)
	}
	tab.Await(states("BACKUP", "MASTER") + ` && document.querySelector("#events-grid tbody").innerText.includes("BACKUP")`)

	if out, stderr, err := daemons[0].CLI("upgrade"); err != nil {
		t.Fatalf("upgrade: %v: %s%s", err, out, stderr)
	}
	tab.Await(`document.getElementById("live-text").innerText.includes("lvs1 was restarted") && document.getElementById("verdict-title").innerText === "All is well"`)
	if said := tab.Console(); len(said) > 0 {
		t.Logf("the console says %q", said) // that a connection was refused
	}
}
