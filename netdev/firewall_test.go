package netdev

import (
	"testing"

	"holdfast/netdev/internal/testns"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

func TestDroppedOn(t *testing.T) {
	drop, accept := &expr.Verdict{Kind: expr.VerdictDrop}, &expr.Verdict{Kind: expr.VerdictAccept}
	eq := func(data ...byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: data} }
	l4proto := &expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}
	iif := &expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}
	ip := &expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: 9, Len: 1}
	saddr := &expr.Payload{Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4}
	rule := func(e ...expr.Any) *nftables.Rule { return &nftables.Rule{Exprs: e} }
	for name, c := range map[string]struct {
		rules []*nftables.Rule
		want  int
	}{
		"meta l4proto vrrp drop":        {[]*nftables.Rule{rule(l4proto, eq(112), &expr.Counter{}, drop)}, 1},
		"ip protocol vrrp reject":       {[]*nftables.Rule{rule(ip, eq(112), &expr.Reject{})}, 1},
		"on our interface":              {[]*nftables.Rule{rule(iif, eq('e', 't', 'h', '0', 0), l4proto, eq(112), drop)}, 1},
		"on another interface":          {[]*nftables.Rule{rule(iif, eq('e', 't', 'h', '1', 0), l4proto, eq(112), drop)}, 0},
		"accepted before":               {[]*nftables.Rule{rule(l4proto, eq(112), accept), rule(l4proto, eq(112), drop)}, 0},
		"another protocol":              {[]*nftables.Rule{rule(l4proto, eq(6), drop)}, 0},
		"from some senders":             {[]*nftables.Rule{rule(l4proto, eq(112), saddr, eq(10, 0, 0, 9), drop)}, 0},
		"all protocols, not understood": {[]*nftables.Rule{rule(drop)}, 0},
		"no verdict":                    {[]*nftables.Rule{rule(l4proto, eq(112), &expr.Counter{})}, 0},
	} {
		if got := droppedOn(c.rules, []string{"eth0"}); len(got) != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A rule in the kernel that drops VRRP is found.
func TestFirewallConflicts(t *testing.T) {
	p := testns.NewPair(t)
	p.Director.Enter()
	c, err := dialFirewall()
	testns.Must(t, err)
	table := c.AddTable(&nftables.Table{Name: "mine", Family: nftables.TableFamilyINet})
	chain := c.AddChain(&nftables.Chain{
		Name: "in", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{112}},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	testns.Must(t, c.Flush())
	all, err := FirewallConflicts([]string{"eth0"})
	testns.Must(t, err)
	if len(all) != 1 || all[0].Interface != "eth0" || all[0].Text != "nftables drops VRRP packets on eth0: table mine, chain in" {
		t.Errorf("found %+v", all)
	}
}
