package control

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every counter is taken into account, also one that somebody adds.
func TestCountersMinus(t *testing.T) {
	fill := func(n uint64) Counters {
		var c Counters
		v := reflect.ValueOf(&c).Elem()
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.Uint64 {
				f.SetUint(n)
			}
		}
		c.Dropped = map[string]uint64{"checksum": n, "length": 2}
		return c
	}
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
