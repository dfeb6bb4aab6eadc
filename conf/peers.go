package conf

import "holdfast/vrrp"

// visitPeers walks over who the other routers are.
func (in *Instance) visitPeers(t *table) {
	field(t, "peers", &in.Peers, listOf(peer), nil)
}

var peer = textual(`an address, like "10.0.0.2",`, func(s string) (vrrp.KnownPeer, error) {
	a, err := parseAddress(s)
	return vrrp.KnownPeer{Address: a}, err
}, func(p vrrp.KnownPeer) string { return p.Address.String() })
