package director

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"holdfast/cmd/internal/status"
	"holdfast/conf"
	"holdfast/integration/tools"
)

// The socket belongs to those whom the configuration names. With a group that is not
// known it belongs to root and the daemon's user, and that is said.
func TestSocketAccess(t *testing.T) {
	tools.Root(t, "give a file to any group")
	b, _ := alone(t)
	var problems []status.Problem
	s := &controlSocket{base: b, path: filepath.Join(t.TempDir(), "s"), problems: func(all []status.Problem) { problems = all }}
	if err := s.open(); err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	for _, test := range []struct {
		access  conf.Socket
		want    string // mode, group of the socket and group of the writers
		problem string
	}{
		{conf.Socket{Mode: 0o660}, fmt.Sprint("660 ", os.Getegid(), " -1"), ""},
		{conf.Socket{Mode: 0o640, WriteGroup: "4711"}, "640 4711 4711", ""},
		{conf.Socket{Mode: 0o666, Group: "4712", WriteGroup: "4711"}, "666 4712 4711", ""},
		{conf.Socket{Mode: 0o660, Group: "no-such-group", WriteGroup: "4711"}, "600 4712 -1", `only root and the daemon's user can use the control socket: unknown group "no-such-group"`},
		{conf.Socket{Mode: 0o660}, fmt.Sprint("660 ", os.Getegid(), " -1"), ""},
	} {
		s.allow(&test.access)
		info, err := os.Lstat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%o %d %d", info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Gid, s.writers.Load()); got != test.want {
			t.Errorf("%+v: %s, want %s", test.access, got, test.want)
		}
		var said []string
		for _, p := range problems {
			said = append(said, p.Text)
		}
		if got := strings.Join(said, "; "); got != test.problem {
			t.Errorf("%+v: problem %q, want %q", test.access, got, test.problem)
		}
	}
}
