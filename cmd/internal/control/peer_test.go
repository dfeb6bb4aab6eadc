package control

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWhoMayWrite(t *testing.T) {
	user := &peer{uid: 1001, groups: []uint32{1001, 27}}
	for _, test := range []struct {
		name    string
		peer    *peer
		self    int
		writers func() (uint32, bool)
		want    bool
	}{
		{"root", &peer{}, 1000, OnlyRoot, true},
		{"the daemon's user", &peer{uid: 1000}, 1000, OnlyRoot, true},
		{"another user", user, 1000, OnlyRoot, false},
		{"another user, daemon of root", user, 0, OnlyRoot, false},
		{"a member of the group", user, 0, func() (uint32, bool) { return 27, true }, true},
		{"a member of another group", user, 0, func() (uint32, bool) { return 28, true }, false},
		{"nobody knows who", nil, 0, func() (uint32, bool) { return 0, true }, false},
	} {
		gid, ok := test.writers()
		if got := test.peer.mayWrite(test.self, gid, ok); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func TestPeerIsKnown(t *testing.T) {
	l, err := Listen(filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", l.path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	got, _ := withPeer(t.Context(), conn).Value(peerKey{}).(*peer)
	if got == nil || got.uid != uint32(os.Geteuid()) {
		t.Fatalf("peer %v, want uid %d", got, os.Geteuid())
	}
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, gid := range append(groups, os.Getegid()) {
		if !slices.Contains(got.groups, uint32(gid)) {
			t.Errorf("groups %v, want %v too", got.groups, gid)
		}
	}
}
