package status

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fill sets every integer counter to n. It finds the counters by reflection, so that it
// also sets counters added later.
func fill(n uint64) Counters {
	var c Counters
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Uint64 {
			f.SetUint(n)
		}
	}
	c.Dropped = map[string]uint64{"checksum": n, "length": 2}
	c.Moves = map[string]uint64{"BACKUP MASTER": n}
	return c
}

// Plus adds every counter of two processes.
func TestCountersPlus(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	earlier, later := fill(3), fill(10)
	earlier.Since, later.Since = at, at.Add(time.Hour)
	earlier.MaxLateMS, later.MaxLateMS = 2.5, 1
	earlier.LastError = "checksum"
	earlier.Dropped["type"] = 1
	want := fill(13)
	want.Since, want.MaxLateMS, want.LastError = at, 2.5, "checksum"
	want.Dropped = map[string]uint64{"checksum": 13, "length": 4, "type": 1}
	v := reflect.ValueOf(want)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("%s is not tried", v.Type().Field(i).Name)
		}
	}
	if diff := cmp.Diff(want, later.Plus(earlier)); diff != "" {
		t.Errorf("10 plus 3 (-want +got):\n%s", diff)
	}
	later.LastError, later.Dropped = "version", nil
	if got := later.Plus(earlier); got.LastError != "version" || got.Dropped["type"] != 1 {
		t.Errorf("with an error of its own, and nothing dropped: %+v", got)
	}
	if diff := cmp.Diff(later, later.Plus(Counters{})); diff != "" {
		t.Errorf("without a former process (-want +got):\n%s", diff)
	}
}

// Minus subtracts every counter, including counters added later.
func TestCountersMinus(t *testing.T) {
	earlier, later := fill(3), fill(10)
	want := fill(7)
	want.Dropped = map[string]uint64{"checksum": 7}
	if diff := cmp.Diff(want, later.Minus(earlier)); diff != "" {
		t.Errorf("10 minus 3 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fill(10), later); diff != "" {
		t.Errorf("the counters themselves have changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(earlier, earlier.Minus(later)); diff != "" {
		t.Errorf("an instance that began anew (-want +got):\n%s", diff)
	}
}
