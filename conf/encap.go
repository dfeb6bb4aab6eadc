package conf

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// An Encap is the encapsulation of packets that take a route. The zero Encap is
// none.
type Encap struct {
	Type                string // mpls, ip, ip6 or seg6
	Labels              []uint32
	TTL                 uint8
	ID                  uint64
	Source, Destination netip.Addr
	TOS                 uint8
	Mode                string
	Segments            []netip.Addr
}

// encapKeys are the keys of each type.
var encapKeys = map[string][]string{
	"mpls": {"labels", "ttl"},
	"ip":   {"destination", "id", "source", "tos", "ttl"},
	"ip6":  {"destination", "id", "source", "tos", "ttl"},
	"seg6": {"mode", "segments"},
}

// maxLabel is the highest MPLS label (RFC 3032 §2.1).
const maxLabel = 1<<20 - 1

var encap = codec[Encap]{
	decode: func(v value, fail func(value, string)) (Encap, bool) {
		var e Encap
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			fail(v, fmt.Sprintf(`must be a table like { type = "mpls", labels = [100] }, not %v`, v))
			return e, false
		}
		good := decodeKeys(v, keys, fail, "type", map[string]func(value, func(value, string)) bool{
			"type":        into(&e.Type, word("mpls", "ip", "ip6", "seg6")),
			"labels":      into(&e.Labels, listOf(integer[uint32](0, maxLabel))),
			"ttl":         into(&e.TTL, integer[uint8](1, 255)),
			"id":          into(&e.ID, tunnelID),
			"source":      into(&e.Source, neighbourAddress),
			"destination": into(&e.Destination, neighbourAddress),
			"tos":         into(&e.TOS, integer[uint8](1, 255)),
			"mode":        into(&e.Mode, word("encap", "inline", "l2encap")),
			"segments":    into(&e.Segments, listOf(neighbourAddress)),
		})
		return e, good && e.check(v, keys, fail)
	},
	encode: func(e Encap) any {
		if e.Type == "" {
			return nil
		}
		shown := InlineTable{{"type", e.Type}}
		put := func(given bool, key string, value any) {
			if given {
				shown = append(shown, Pair{key, value})
			}
		}
		put(len(e.Labels) > 0, "labels", listOf(integer[uint32](0, maxLabel)).encode(e.Labels))
		put(e.ID != 0, "id", int64(e.ID))
		put(e.Source.IsValid(), "source", e.Source.String())
		put(e.Destination.IsValid(), "destination", e.Destination.String())
		put(e.TTL != 0, "ttl", int64(e.TTL))
		put(e.TOS != 0, "tos", int64(e.TOS))
		put(e.Mode != "", "mode", e.Mode)
		put(len(e.Segments) > 0, "segments", listOf(neighbourAddress).encode(e.Segments))
		return shown
	},
}

var tunnelID = simple(func(v value) (uint64, error) {
	n, ok := v.data.(int64)
	if !ok || n < 1 {
		return 0, fmt.Errorf("must be a positive whole number, not %v", unnamed(v))
	}
	return uint64(n), nil
}, func(n uint64) any { return int64(n) })

// check reports keys that the type requires, and keys that it does not have.
func (e *Encap) check(v value, given map[string]value, fail func(value, string)) bool {
	bad := func(format string, args ...any) bool {
		fail(v, fmt.Sprintf(format, args...))
		return false
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if key != "type" && !slices.Contains(encapKeys[e.Type], key) {
			return bad("%s has no effect with type = %q", key, e.Type)
		}
	}
	switch {
	case e.Type == "mpls" && len(e.Labels) == 0:
		return bad("labels is required with type = %q", e.Type)
	case e.Type == "seg6" && len(e.Segments) == 0:
		return bad("segments is required with type = %q", e.Type)
	case e.Type == "seg6" && e.Mode == "":
		e.Mode = "encap"
	}
	for _, a := range append([]netip.Addr{e.Source, e.Destination}, e.Segments...) {
		if a.IsValid() && a.Is4() != (e.Type == "ip") {
			return bad("%v has the wrong address family for type = %q", a, e.Type)
		}
	}
	return true
}
