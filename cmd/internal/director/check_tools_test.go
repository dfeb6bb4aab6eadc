package director

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/cmd/internal/bfd"
	"holdfast/cmd/internal/event"
	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/integration/tools"
)

// Checks run programs, see files change, and hear of BFD sessions; none of them waits
// for its interval.
func TestCheckTools(t *testing.T) {
	tools.Root(t, "have programs that nobody else could change")
	dir := tools.Dir(t)
	load := filepath.Join(dir, "load")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(load, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("0\n")
	b, heard := alone(t)
	v := newVirtualServices(b, t.TempDir())
	v.problems, v.tracked = func([]status.Problem) {}, func(*conf.Service, serverView) {}
	v.balance.attach(newFakeIPVS())
	if err := v.open(); err != nil {
		t.Fatal(err)
	}
	defer v.close()
	defer v.withdraw()
	v.apply(parse(t, fmt.Sprintf(`
[director]
name = "lvs1"
[[bfd]]
name = "b"
neighbour = "10.0.0.3"
[[service]]
name = "web"
address = "10.0.0.100:80"
check = { interval = "1h" }
[[service.server]]
name = "program"
address = "10.0.0.1"
check = { type = "external", command = ["/bin/sh", "-c", "echo 7; test $HOLDFAST_DIRECTOR/$HOLDFAST_SERVER = lvs1/program"], weight = "output", timeout = "1m" }
[[service.server]]
name = "file"
address = "10.0.0.2"
check = { type = "file", file = %q, timeout = "1m" }
[[service.server]]
name = "bfd"
address = "10.0.0.3"
check = { type = "bfd", bfd = "b" }
`, load)))
	await := func(want string) {
		t.Helper()
		for end := time.After(30 * time.Second); ; {
			for _, f := range heard.mail.take() {
				f()
			}
			if n := len(heard.events); n > 0 && said(heard.events, want) {
				heard.events = nil
				return
			}
			select {
			case <-heard.mail.signal:
			case <-end:
				t.Fatalf("nobody hears that %s; heard: %v\n%s", want, heard.events, &heard.log)
			}
		}
	}
	await("web/program UP")
	if s := v.balance.table.Wanted()[0].Servers; s[0].Address.Addr().String() != "10.0.0.1" || s[0].Weight != 7 {
		t.Errorf("servers %v, the weight of 10.0.0.1 must be that of the program's output, 7", s)
	}
	v.tools.sessionChanged("b", bfd.VerdictUp, "")
	await("web/bfd UP")
	v.tools.sessionChanged("b", bfd.VerdictDown, "control detection time expired")
	await("web/bfd DOWN control detection time expired")
	write("3\n")
	await("web/file DOWN " + load + " contains 3")
}

// said reports whether an event says what is wanted.
func said(events []event.Event, want string) bool {
	for _, e := range events {
		if strings.HasPrefix(e.Subject+" "+e.To+" "+e.Reason, want) {
			return true
		}
	}
	return false
}

// A program of a check that would not be run is named before it is needed.
func TestUnfitCheckPrograms(t *testing.T) {
	c := parse(t, `
[[service]]
name = "web"
address = "10.0.0.100:80"
check = { type = "external", command = "/nonexistent/check" }
server = [{ address = "10.0.0.1" }, { address = "10.0.0.2" }]
[[service]]
name = "perl"
address = "10.0.0.100:81"
check = { type = "external", command = "/nonexistent/check.pl", style = "ldirectord-perl" }
server = [{ address = "10.0.0.1" }]
`)
	want := "service.web.check.command: script /nonexistent/check does not exist\n" +
		"service.perl.check.command: script /nonexistent/check.pl does not exist"
	if got := strings.Join(UnfitPrograms(c), "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}
