package snmp

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"holdfast/cmd/internal/snmp/agentx"
	"holdfast/cmd/internal/status"
	"holdfast/integration/tools/golden"
)

var moment = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return moment.Add(-d) }

// sample returns a status with every kind of row, not sorted: both families and
// versions, and MASTER, BACKUP and FAULT. The interface of one instance never
// existed. The interface of another has the ifIndex of an interface that is gone.
func sample() *status.Status {
	return &status.Status{
		Now: moment, Started: ago(time.Hour), UnknownVRID: 9,
		Dropped: map[string]uint64{"checksum": 11, "version": 12, "hop_limit": 13, "vrid": 1},
		VRRP: []status.Instance{{
			Name: "old", IfIndex: 10, VRID: 52, Family: "ipv4", Protocol: 2, State: "BACKUP", UpSince: ago(time.Minute), MAC: "00:00:5e:00:01:34",
			Source: "192.168.0.3", Master: &status.Peer{Address: "192.168.0.2"}, EffectivePriority: 100, IntervalMS: 2000, Preempt: true,
			Addresses: []string{"192.168.0.254/24"},
			Counters: status.Counters{Since: ago(time.Hour), AdvertsReceived: 1 << 33, StopReceived: 2, StopSent: 3, BecameMaster: 1<<32 + 4, IntervalDiffers: 5, AddressMismatch: 6,
				Dropped: map[string]uint64{"interval": 7, "hop_limit": 8, "type": 9, "addresses": 10, "count": 11, "length": 12, "auth": 99}, LastError: "checksum"},
			Takeover: "no_response",
		}, {
			Name: "six", IfIndex: 2, VRID: 51, Family: "ipv6", State: "MASTER", UpSince: ago(1500 * time.Millisecond), MAC: "00:00:5e:00:02:33",
			Source: "fe80::2", EffectivePriority: 255, IntervalMS: 10, Refused: true, Addresses: []string{"fe80::5e:51/64", "2001:db8::1/64", "10.0.0.9/24"}, Excluded: []string{"10.0.0.9/24"},
			Counters: status.Counters{Since: ago(30 * time.Minute)}, Takeover: "priority",
		}, {
			Name: "four", IfIndex: 2, VRID: 51, Family: "ipv4", State: "FAULT", MAC: "00:00:5e:00:01:33", EffectivePriority: 140, IntervalMS: 100,
			Addresses: []string{"10.0.0.101/24", "10.0.0.100/24"}, Counters: status.Counters{Since: ago(2 * time.Hour), LastError: "hop_limit"}, Takeover: "preempted",
		}, {
			Name: "nowhere", VRID: 7, Family: "ipv4", State: "FAULT",
		}, {
			Name: "doubled", IfIndex: 10, VRID: 52, Family: "ipv4", State: "FAULT", Addresses: []string{"192.168.0.254/24"},
		}},
	}
}

// sampleView is the view of sample with a master agent started 45 minutes earlier.
func sampleView() *view {
	return newView(sample(), clock{when: moment, upTime: 45 * 60 * 100})
}

func show(v agentx.Value) string {
	switch v.Kind {
	case agentx.KindOctets:
		return "octets " + hex.EncodeToString(v.Bytes)
	case agentx.KindInteger:
		return fmt.Sprintf("integer %d", int32(v.Number))
	}
	names := map[agentx.Kind]string{agentx.KindGauge: "gauge", agentx.KindCounter32: "counter32", agentx.KindCounter64: "counter64", agentx.KindTimeTicks: "ticks"}
	return fmt.Sprintf("%s %d", names[v.Kind], v.Number)
}

// walk returns the variables that a manager gets in a walk with GetNext.
func walk(t *testing.T, v *view, r agentx.Range) []agentx.Variable {
	t.Helper()
	var list []agentx.Variable
	for len(list) < 1000 {
		found := v.next(r)
		if found.Value.Kind == agentx.KindEndOfView {
			return list
		}
		if found.Name.Compare(r.Start) <= 0 {
			t.Fatalf("after %v comes %v", r.Start, found.Name)
		}
		list = append(list, found)
		r.Start, r.Include = found.Name, false
	}
	t.Fatal("the walk does not end")
	return nil
}

func TestWalk(t *testing.T) {
	v := sampleView()
	all := walk(t, v, agentx.Range{Start: oidMIB})
	var b strings.Builder
	for _, one := range all {
		fmt.Fprintf(&b, "%v = %s\n", one.Name[len(oidMIB):], show(one.Value))
		if got := v.get(one.Name); show(got) != show(one.Value) {
			t.Errorf("%v is %v in a walk and %v when asked for", one.Name, show(one.Value), show(got))
		}
	}
	golden.Compare(t, "testdata/walk.txt", b.String())
	// A range may start at any name. next continues with the first name after it.
	for i, one := range all {
		goesOn(t, v, all, agentx.Range{Start: one.Name, Include: true}, i)
		goesOn(t, v, all, agentx.Range{Start: one.Name}, i+1)
		goesOn(t, v, all, agentx.Range{Start: one.Name.Append(0), Include: true}, i+1)
		parent, last := one.Name[:len(one.Name)-1], one.Name[len(one.Name)-1]
		if last > 0 {
			goesOn(t, v, all, agentx.Range{Start: parent.Append(last-1, 1<<32-1)}, i)
		}
	}
}

// goesOn wants the i-th of all to be the first in a range.
func goesOn(t *testing.T, v *view, all []agentx.Variable, r agentx.Range, i int) {
	t.Helper()
	want := r.Start // the end
	if i < len(all) {
		want = all[i].Name
	}
	if found := v.next(r); found.Name.Compare(want) != 0 || (found.Value.Kind == agentx.KindEndOfView) != (i == len(all)) {
		t.Errorf("from %+v on the first is %v, want %v", r, found.Name, want)
	}
}

func TestRangeEnds(t *testing.T) {
	v := sampleView()
	table := oidMIB.Append(1, 1, 2)
	inside := walk(t, v, agentx.Range{Start: table, End: oidMIB.Append(1, 1, 3)})
	if len(inside) != 5 {
		t.Errorf("%d addresses: %v", len(inside), inside)
	}
	// The end itself is outside.
	if one := v.next(agentx.Range{Start: table, End: inside[0].Name}); one.Value.Kind != agentx.KindEndOfView {
		t.Errorf("found %v", one.Name)
	}
}

func TestGetNothing(t *testing.T) {
	v := sampleView()
	for name, want := range map[string]struct {
		oid  agentx.OID
		kind agentx.Kind
	}{
		"no such row":             {oidOperation.Append(6, 2, 52, 1), agentx.KindNoSuchInstance},
		"a part of an index":      {oidOperation.Append(6, 2, 51), agentx.KindNoSuchInstance},
		"more than an index":      {oidOperation.Append(6, 2, 51, 1, 0), agentx.KindNoSuchInstance},
		"a scalar without 0":      {oidGlobal.Append(1), agentx.KindNoSuchInstance},
		"a column of the index":   {oidOperation.Append(1, 2, 51, 1), agentx.KindNoSuchObject},
		"a column there is not":   {oidOperation.Append(14, 2, 51, 1), agentx.KindNoSuchObject},
		"the whole table":         {oidOperation, agentx.KindNoSuchObject},
		"what is another's":       {agentx.OID{1, 3, 6, 1, 2, 1, 1, 3, 0}, agentx.KindNoSuchObject},
		"an interface never here": {oidOperation.Append(6, 0, 7, 1), agentx.KindNoSuchInstance},
	} {
		if got := v.get(want.oid); got.Kind != want.kind {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// RFC 2741 §7.2.3.3: first one of each that is not repeated, then rounds.
func TestBulk(t *testing.T) {
	v := sampleView()
	states, last := oidOperation.Append(6), oidStatistic.Append(13)
	got := v.bulk(&agentx.GetBulk{NonRepeaters: 1, MaxRepetitions: 3, Ranges: []agentx.Range{
		{Start: oidGlobal}, {Start: states}, {Start: last, End: oidMIB.Append(2)},
	}})
	var names []string
	for _, one := range got {
		name := one.Name[len(oidMIB):].String()
		if one.Value.Kind == agentx.KindEndOfView {
			name += " end"
		}
		names = append(names, name)
	}
	want := []string{
		"1.2.1.0",
		"1.1.1.1.6.2.51.1", "1.2.5.1.13.2.51.1",
		"1.1.1.1.6.2.51.2", "1.2.5.1.13.2.51.2",
		"1.1.1.1.6.10.52.1", "1.2.5.1.13.10.52.1",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	end := v.bulk(&agentx.GetBulk{MaxRepetitions: 1 << 15, Ranges: []agentx.Range{{Start: last, End: oidMIB.Append(2)}}})
	if len(end) != 4 || end[3].Value.Kind != agentx.KindEndOfView {
		t.Errorf("a walk to the end has %d parts: %+v", len(end), end)
	}
	ranges := make([]agentx.Range, 100)
	for i := range ranges {
		ranges[i].Start = oidMIB
	}
	if n := len(v.bulk(&agentx.GetBulk{MaxRepetitions: 1<<16 - 1, Ranges: ranges})); n < maxBulk || n >= maxBulk+100 {
		t.Errorf("%d variables in one answer", n)
	}
	if n := len(v.bulk(&agentx.GetBulk{NonRepeaters: 9, Ranges: ranges[:2]})); n != 2 {
		t.Errorf("%d variables for two ranges", n)
	}
}

func TestEmpty(t *testing.T) {
	v := newView(&status.Status{}, clock{})
	if all := walk(t, v, agentx.Range{Start: oidMIB}); len(all) != len(global) {
		t.Errorf("without instances there are %v", all)
	}
}

// A TimeStamp must not change as long as the master agent is the same.
func TestClock(t *testing.T) {
	c := clock{}.synced(moment, 100)
	if got := c.at(moment.Add(time.Second)); got != 200 {
		t.Errorf("a second later it is %d", got)
	}
	if got := c.at(ago(time.Hour)); got != 0 {
		t.Errorf("before the master agent was started it is %d", got)
	}
	if again := c.synced(moment.Add(time.Minute), 6103); again != c {
		t.Errorf("the same master agent: %v", again)
	}
	if other := c.synced(moment.Add(time.Minute), 50); other == c || other.at(moment.Add(time.Minute)) != 50 {
		t.Errorf("another master agent: %v", other)
	}
}
