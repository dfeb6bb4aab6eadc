package conf

import (
	"maps"
	"net/netip"
	"slices"

	"holdfast/vrrp"
)

// visitPeers visits the keys about the other routers, of an instance or a path.
func visitPeers(t *table, peers *[]vrrp.PeerConfig, unicast *bool) {
	field(t, "peers", peers, listOf(peer), nil)
	field(t, "unicast", unicast, boolean, false)
}

var peerAddress = textual(`an address, like "10.0.0.2",`, parseAddress, netip.Addr.String)

// ttl is the TTL or hop limit of a packet.
var ttl = integer[uint8](1, vrrp.HopLimit)

// peer is an address, or a table with the address and the TTLs to accept.
var peer = codec[vrrp.PeerConfig]{
	decode: func(v value, fail func(value, string)) (vrrp.PeerConfig, bool) {
		p := vrrp.PeerConfig{MinTTL: vrrp.HopLimit, MaxTTL: vrrp.HopLimit}
		keys, isTable := v.data.(map[string]value)
		if !isTable {
			address, ok := peerAddress.decode(v, fail)
			p.Address = address
			return p, ok
		}
		return p, decodePeer(v, keys, &p, fail)
	},
	encode: func(p vrrp.PeerConfig) any {
		if p.MinTTL == vrrp.HopLimit {
			return p.Address.String()
		}
		return InlineTable{
			{"address", p.Address.String()}, {"min_ttl", int64(p.MinTTL)}, {"max_ttl", int64(p.MaxTTL)},
		}
	},
}

func decodePeer(v value, keys map[string]value, p *vrrp.PeerConfig, fail func(value, string)) bool {
	known := []string{"address", "max_ttl", "min_ttl"}
	good := true
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		ok := false
		switch item := keys[key]; key {
		case "address":
			p.Address, ok = peerAddress.decode(item, fail)
		case "min_ttl":
			p.MinTTL, ok = ttl.decode(item, fail)
		case "max_ttl":
			p.MaxTTL, ok = ttl.decode(item, fail)
		default:
			fail(item, unknownKey(key, known))
		}
		good = good && ok
	}
	if _, given := keys["address"]; !given {
		fail(v, "the key address is required")
		return false
	}
	return good
}
