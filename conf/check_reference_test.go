package conf

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"holdfast/checker/probe"
)

// Every kind of check can be configured.
func TestCheckKinds(t *testing.T) {
	var names []string
	for _, kind := range checkKinds {
		names = append(names, kind.name)
	}
	if diff := cmp.Diff(probe.Kinds(), names); diff != "" {
		t.Errorf("the kinds of package probe and those of this package differ (-probe +conf):\n%s", diff)
	}
}

// The reference has at least one service for each kind of check. Together the
// services of a kind show all its keys, and no others.
func TestReferenceShowsCheckKinds(t *testing.T) {
	shared := slices.Concat([]string{"type", "id", "port", "via", "negotiate_every"}, targetKeys, timingKeys)
	r := newReader(nowhere(uncommented()))
	root := r.gather("fuzz.toml").data.(map[string]value)
	shown := make(map[string][]string)
	for _, service := range root["service"].data.([]value) {
		for _, check := range checksIn(service) {
			kind, _ := check["type"].data.(string)
			shown[kind] = append(shown[kind], "type")
			for key := range check {
				shown[kind] = append(shown[kind], key)
			}
		}
	}
	for _, kind := range checkKinds {
		if shown[kind.name] == nil {
			t.Errorf("no service of the reference has a check of type %s", kind.name)
		}
		want := kind.keys()
		slices.Sort(want)
		got := slices.DeleteFunc(shown[kind.name], func(key string) bool { return slices.Contains(shared, key) })
		slices.Sort(got)
		if diff := cmp.Diff(want, slices.Compact(got), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("keys of type %s (-conf +reference):\n%s", kind.name, diff)
		}
	}
}

// checksIn returns the check of a service, or all of them.
func checksIn(service value) []map[string]value {
	switch check := service.data.(map[string]value)["check"].data.(type) {
	case map[string]value:
		return []map[string]value{check}
	case []value:
		var all []map[string]value
		for _, v := range check {
			all = append(all, v.data.(map[string]value))
		}
		return all
	}
	return nil
}
