package lvs_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"holdfast/lvs"
)

func TestSyncFollowsTheGroup(t *testing.T) {
	c := lvs.SyncConfig{Interface: "eth1", ID: 1, Follow: "director"}
	both := lvs.SyncConfig{Interface: "eth1", ID: 1}
	moved := lvs.SyncConfig{Interface: "eth2", ID: 1, Follow: "director"}
	shortened := lvs.SyncConfig{Interface: "eth1", ID: 1, MaxLen: 500, Follow: "director"}
	small := shortened.Wanted(true)[0]
	if small.MaxLen != 500 {
		t.Errorf("a master may send %d bytes, want 500", small.MaxLen)
	}
	small.Role, small.MaxLen = lvs.SyncBackup, 1024
	const (
		startMaster, stopMaster = "ipvsadm --start-daemon master --mcast-interface eth1 --syncid 1", "ipvsadm --stop-daemon master"
		startBackup, stopBackup = "ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 1", "ipvsadm --stop-daemon backup"
	)
	running := func(daemons []lvs.SyncDaemon) []lvs.SyncDaemon {
		for i := range daemons { // the kernel chooses a length
			daemons[i].MaxLen = 1472
		}
		return daemons
	}
	tests := []struct {
		name       string
		have, want []lvs.SyncDaemon
		steps      []string
	}{
		{"start as backup", nil, c.Wanted(false), []string{startBackup}},
		{"nothing to do", running(c.Wanted(false)), c.Wanted(false), nil},
		{"takeover", running(c.Wanted(false)), c.Wanted(true), []string{stopBackup, startMaster}},
		{"failback", running(c.Wanted(true)), c.Wanted(false), []string{stopMaster, startBackup}},
		{"both without a group", running(c.Wanted(true)), both.Wanted(false), []string{startBackup}},
		{"another interface", running(c.Wanted(false)), moved.Wanted(false), []string{stopBackup, "ipvsadm --start-daemon backup --mcast-interface eth2 --syncid 1"}},
		{"the kernel's minimum for a backup is no difference", []lvs.SyncDaemon{small}, shortened.Wanted(false), nil},
		{"end", running(both.Wanted(false)), nil, []string{stopMaster, stopBackup}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var steps []string
			for _, op := range lvs.PlanSync(tt.have, tt.want) {
				steps = append(steps, op.String())
			}
			if diff := cmp.Diff(tt.steps, steps); diff != "" {
				t.Errorf("steps (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSyncDefaultsAreTheKernels(t *testing.T) {
	c := lvs.SyncConfig{Interface: "eth1", ID: 9, Follow: "g"}
	want := lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: "eth1", ID: 9, Group: netip.MustParseAddr("224.0.0.81"), Port: 8848, TTL: 1}
	if got := c.Wanted(true)[0]; got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSyncConfigValidate(t *testing.T) {
	tests := []struct {
		config lvs.SyncConfig
		want   string
	}{
		{lvs.SyncConfig{Interface: "eth1"}, ""},
		{lvs.SyncConfig{}, "interface: is needed"},
		{lvs.SyncConfig{Interface: "a-name-of-16-cha"}, `interface: "a-name-of-16-cha" is longer than the 15 characters of a device name`},
		{
			lvs.SyncConfig{Interface: "eth1", Group: netip.MustParseAddr("10.0.0.1"), MaxLen: 10},
			"group: 10.0.0.1 is not a multicast address\nmax_len: must be 64 (enough for one connection) to 65487, not 10",
		},
	}
	for _, tt := range tests {
		got := ""
		if err := tt.config.Validate(); err != nil {
			got = err.Error()
			if field := new(lvs.FieldError); !errors.As(err, &field) {
				t.Errorf("%v is not a FieldError", err)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", fmt.Sprint(tt.config), got, tt.want)
		}
	}
}
