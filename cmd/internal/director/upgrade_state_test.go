package director

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"reflect"
	"testing"
	"time"

	"holdfast/vrrp"
	"holdfast/vrrp/auth"
	"holdfast/vrrp/speaker"
)

// Every field that a machine gives for its resumption reaches the new binary.
func TestSavedRouterIsWhole(t *testing.T) {
	want := vrrp.Resume{
		State: vrrp.Backup, Since: time.Unix(5, 0).UTC(), Interval: 3 * time.Second, GaveAway: true, Lost: time.Unix(7, 0).UTC(),
		UpSince: time.Unix(3, 0).UTC(), Takeover: vrrp.TakeoverPreempted,
		LastAdvert: time.Unix(8, 0).UTC(), Promised: 2 * time.Second,
	}
	now := time.Unix(9, 0).UTC()
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tried", v.Type().Field(i).Name)
		}
	}
	marks := map[string]auth.Marks{"": {Kind: auth.Header, Sequence: 7, Senders: []auth.Mark{{Source: netip.MustParseAddr("10.0.0.3"), Sequence: 6}}}}
	for _, state := range []vrrp.State{vrrp.Master, vrrp.Backup} {
		want.State = state
		b, err := json.Marshal(saveRouter(now, &speaker.Status{Resume: want, Marks: marks}))
		if err != nil {
			t.Fatal(err)
		}
		var p savedRouter
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		if got := p.event(now); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if !reflect.DeepEqual(p.Marks, marks) {
			t.Errorf("got %+v, want %+v", p.Marks, marks)
		}
	}
}

// State that was saved for a binary that never started is ignored once it is old. It
// is used at most once.
func TestUpgradeStateGrowsOld(t *testing.T) {
	for age, counts := range map[time.Duration]bool{
		0: true, 20 * time.Second: true, 2 * time.Minute: false, -time.Hour: false, // of a former boot
	} {
		dir := t.TempDir()
		b, err := json.Marshal(upgradeState{At: sinceBoot() - age, Routers: map[string]savedRouter{"v": {Master: true}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(upgradeStatePath(dir), b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := readUpgradeState(dir)
		if err != nil || p.Routers["v"].Master != counts {
			t.Errorf("left %v ago: read %+v, %v", age, p, err)
		}
		if _, err := os.Stat(upgradeStatePath(dir)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left %v ago: it is there still: %v", age, err)
		}
	}
}
