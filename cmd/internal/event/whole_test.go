package event

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// fill gives every field a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"a": "b"}))
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.String:
		v.SetString("text " + time.Duration(*n).String())
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.Set(reflect.ValueOf(*n).Convert(v.Type()))
	}
}

// Nothing of an event is lost on the way to another binary.
func TestWhole(t *testing.T) {
	var full Event
	n := 0
	fill(reflect.ValueOf(&full).Elem(), &n)
	partial := full
	partial.Alert = &Alert{Down: []AlertEntry{{Subject: "a"}, {Subject: "b", Run: full.Alert.Down[0].Run}}, Text: "text"}
	for name, want := range map[string]Event{"full": full, "an alert without runs": partial, "plain": {Kind: KindGroup, Subject: "a"}} {
		b, err := json.Marshal(Whole(want))
		if err != nil {
			t.Fatal(err)
		}
		var got Whole
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(Event(got), want) {
			t.Errorf("%s: got %+v, want %+v\n%s", name, got, want, b)
		}
	}
}
