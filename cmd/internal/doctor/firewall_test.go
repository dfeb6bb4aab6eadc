package doctor

import (
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
)

func legacy(rules string) *firewallFacts {
	return &firewallFacts{parseSaved("*filter\n"+rules+"\nCOMMIT\n", false)}
}

const (
	opened = ":INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:mine - [0:0]\n"
	closed = ":INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:mine - [0:0]\n"
	drop   = "error: iptables-legacy drops VRRP adverts (protocol 112) on eth0"
)

func TestLegacyFirewall(t *testing.T) {
	run(t, judgeFirewall, []lookCase[*firewallFacts]{
		{name: "none", facts: &firewallFacts{}},
		{name: "open", facts: legacy(opened)},
		{name: "drop", facts: legacy(opened + "-A INPUT -p vrrp -j DROP"), want: []string{drop}},
		{name: "drop by number", facts: legacy(opened + "-A INPUT -p 112 -j REJECT --reject-with icmp-port-unreachable"), want: []string{drop}},
		{name: "drop elsewhere", facts: legacy(opened + "-A INPUT -i eth1 -p vrrp -j DROP")},
		{name: "drop on all but another", facts: legacy(opened + "-A INPUT ! -i eth1 -p vrrp -j DROP"), want: []string{drop}},
		{name: "drop by pattern", facts: legacy(opened + "-A INPUT -i eth+ -j DROP"), want: []string{drop}},
		{name: "accepted before", facts: legacy(opened + "-A INPUT -d 224.0.0.18/32 -p vrrp -j ACCEPT\n-A INPUT -p vrrp -j DROP")},
		{name: "policy", facts: legacy(closed + "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT"), want: []string{drop}},
		{name: "policy, accepted", facts: legacy(closed + `-A INPUT -p vrrp -m comment --comment "the -j DROP" -j ACCEPT`)},
		{name: "policy, perhaps accepted", facts: legacy(closed + "-A INPUT -m owner --uid-owner 7 -j ACCEPT")},
		{name: "perhaps dropped", facts: legacy(opened + "-A INPUT -p vrrp -m limit --limit 1/sec -j DROP")},
		{name: "jump", facts: legacy(opened + "-A INPUT -j mine\n-A mine -p vrrp -j LOG\n-A mine -p vrrp -j DROP"), want: []string{drop}},
		{name: "jump and return", facts: legacy(closed + "-A INPUT -j mine\n-A mine -j RETURN\n-A INPUT -p vrrp -j ACCEPT")},
		{name: "goto", facts: legacy(opened + "-A INPUT -g mine\n-A mine -p tcp -j DROP\n-A INPUT -p vrrp -j DROP")},
		{name: "goto and the policy", facts: legacy(closed + "-A INPUT -g mine\n-A mine -p tcp -j ACCEPT\n-A INPUT -p vrrp -j ACCEPT"), want: []string{drop}},
		{name: "perhaps goto", facts: legacy(opened + "-A INPUT -m owner --uid-owner 7 -g mine\n-A INPUT -p vrrp -j DROP")},
		{name: "out", facts: legacy(opened + "-A OUTPUT -p vrrp -j DROP")}, // adverts pass no rules
		{name: "sync and checks", config: base + balancing, facts: legacy(opened + "-A OUTPUT -p udp -m multiport --dports 53,8000:9000 -j DROP\n-A OUTPUT -d 10.0.0.0/24 -p tcp -j DROP"),
			want: []string{"error: connections of the sync daemon on eth0", "error: checks of 10.0.0.11 port 80"}},
	})
}

// nft returns an input chain of nftables with rules.
func nft(dropPolicy bool, rules ...[]expr.Any) *firewallFacts {
	c := &fwChain{Kind: kindNft, Table: "inet filter", Name: "input", Hook: incoming, Drop: dropPolicy, fits: func(*probePacket) bool { return true }}
	set := map[string]*nftSet{"protocols": {elements: []nftables.SetElement{{Key: []byte{112}}, {Key: []byte{1}}}},
		"range": {interval: true, elements: []nftables.SetElement{{Key: []byte{0}, IntervalEnd: true}, {Key: []byte{100}}, {Key: []byte{120}, IntervalEnd: true}}},
		"map":   {elements: []nftables.SetElement{{Key: []byte{112}, VerdictData: &expr.Verdict{Kind: expr.VerdictDrop}}}}}
	for _, r := range rules {
		c.Rules = append(c.Rules, fwRule{"rule", nftJudge(r, set)})
	}
	return &firewallFacts{[]*fwChain{c, {Kind: kindNft, Table: c.Table, Name: "more"}}}
}

func TestNftables(t *testing.T) {
	proto := &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}
	is := func(data ...byte) *expr.Cmp { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	verdict := func(k expr.VerdictKind) *expr.Verdict { return &expr.Verdict{Kind: k} }
	drops, accepts := verdict(expr.VerdictDrop), verdict(expr.VerdictAccept)
	named := &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}
	state := []expr.Any{&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: []byte{6, 0, 0, 0}, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)}, accepts}
	const drop = "error: nftables drops VRRP adverts (protocol 112) on eth0"
	type rule = []expr.Any
	run(t, judgeFirewall, []lookCase[*firewallFacts]{
		{name: "open", facts: nft(false)},
		{name: "policy", facts: nft(true), want: []string{drop}},
		{name: "policy, answers accepted", facts: nft(true, state), want: []string{drop}},
		{name: "drop", facts: nft(false, rule{proto, is(112), &expr.Counter{}, drops}), want: []string{drop}},
		{name: "another protocol", facts: nft(false, rule{proto, is(17), drops})},
		{name: "accepted before", facts: nft(true, rule{proto, is(112), accepts})},
		{name: "interface", facts: nft(false, rule{named, is([]byte("eth0\x00\x00")...), drops}), want: []string{drop}},
		{name: "another interface", facts: nft(false, rule{named, is([]byte("eth1\x00\x00")...), drops})},
		{name: "interface pattern", facts: nft(false, rule{named, is([]byte("eth")...), drops}), want: []string{drop}},
		{name: "perhaps", facts: nft(false, rule{proto, is(112), &expr.Limit{}, drops})},
		{name: "perhaps accepted", facts: nft(true, rule{&expr.Fib{Register: 1}, accepts})},
		{name: "set", facts: nft(false, rule{proto, &expr.Lookup{SourceRegister: 1, SetName: "protocols"}, drops}), want: []string{drop}},
		{name: "not in a set", facts: nft(false, rule{proto, &expr.Lookup{SourceRegister: 1, SetName: "protocols", Invert: true}, drops})},
		{name: "interval", facts: nft(false, rule{proto, &expr.Lookup{SourceRegister: 1, SetName: "range"}, drops}), want: []string{drop}},
		{name: "map", facts: nft(false, rule{proto, &expr.Lookup{SourceRegister: 1, SetName: "map", IsDestRegSet: true}}), want: []string{drop}},
		{name: "goto", facts: nft(false, rule{&expr.Verdict{Kind: expr.VerdictGoto, Chain: "more"}}, rule{drops})},
		{name: "state of iptables", facts: nft(true, rule{&expr.Match{Info: &xt.ConntrackMtinfo3{ConntrackMtinfo2: xt.ConntrackMtinfo2{
			ConntrackMtinfoBase: xt.ConntrackMtinfoBase{MatchFlags: ctMatchState}, StateMask: 6}}}, accepts}), want: []string{drop}},
		{name: "new state of iptables", facts: nft(true, rule{&expr.Match{Info: &xt.ConntrackMtinfo3{ConntrackMtinfo2: xt.ConntrackMtinfo2{
			ConntrackMtinfoBase: xt.ConntrackMtinfoBase{MatchFlags: ctMatchState}, StateMask: ctStateNew}}}, accepts})},
		{name: "unknown extension", facts: nft(true, rule{&expr.Match{Info: &xt.Unknown{}}, accepts})},
		{name: "group", facts: nft(false, rule{&expr.Payload{Base: expr.PayloadBaseNetworkHeader, DestRegister: 1, Offset: 16, Len: 4}, is(224, 0, 0, 18), &expr.Reject{}}), want: []string{drop}},
	})
}
